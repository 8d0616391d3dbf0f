// NetworkPolicies between the pods of two nodes: frames of every protocol are sent between all
// pods, and those that arrive are compared with what the oracle says of the objects.

#include "base/file.hpp"
#include "cluster.hpp"
#include "support/capture.hpp"
#include "support/eventually.hpp"
#include "support/packet.hpp"
#include "support/policy_oracle.hpp"
#include "support/random_policies.hpp"
#include "support/temp_dir.hpp"
#include "support/traffic.hpp"

#include <net/ethernet.h>

#include <csignal>
#include <map>
#include <memory>
#include <set>
#include <utility>

namespace kubecni::test {
namespace {

using nlohmann::json;

constexpr int kFirstPort = 80;
constexpr int kPorts = 2;
constexpr std::size_t kPodsOfNode = 3;

struct Case {
  std::string dataplane;
  std::string routing;
};

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return info.param.dataplane + "_" + info.param.routing;
}

/// A frame of the truth table. It is known again by its source port, or SCTP's.
struct Probe {
  std::size_t from, to;
  int family;
  std::string protocol;
  int port;
};

std::uint8_t number_of(const std::string& protocol) {
  return protocol == "TCP" ? IPPROTO_TCP : protocol == "UDP" ? IPPROTO_UDP : IPPROTO_SCTP;
}

class PolicyTest : public testing::Test {
 protected:
  explicit PolicyTest(const Case& mode)
      : cluster({.dataplane = mode.dataplane,
                 .families = Families::kDual,
                 .routing = {mode.routing},
                 .daemon_options = {"--policy-file", (folder_ / "policies.json").string()}}) {
    write({{"policies", json::array()}, {"pods", json::array()}, {"namespaces", json::array()}});
  }

  /// Makes the pods that RandomPolicies::cluster() names, on both nodes in turn.
  void add_pods() {
    for (std::size_t i = 0; i < 2 * kPodsOfNode; ++i) add_pod(i);
  }

  void add_pod(std::size_t i) {
    static const std::vector<std::string> kSpaces{"x", "y", "z"};
    const Node& node = node_of(i);
    auto pod = std::make_unique<Pod>("pod" + std::to_string(i));
    CniCall call = node.call_for("ADD", *pod, {{"subnet", nullptr}, {"ipam", nullptr}});
    for (std::string& variable : call.env)
      if (variable == "CNI_ARGS=")
        variable = "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=" + kSpaces[i % 3] +
                   ";K8S_POD_NAME=pod" + std::to_string(i);
    const auto answer = node.call(call);
    ASSERT_TRUE(ok(answer));
    for (const json& ip : answer.json["ips"])
      pod->addresses.push_back(IpNet::parse(ip["address"].get<std::string>()).value().addr);
    pod->address = pod->addresses.at(0);
    captures_.push_back(std::make_unique<Capture>(pod->netns, "eth0"));
    ports_.push_back(node.attachment(*pod).port);
    pods_.push_back(std::move(pod));
  }

  [[nodiscard]] const Node& node_of(std::size_t i) const {
    return i % 2 == 0 ? cluster.a : cluster.b;
  }
  [[nodiscard]] std::string address_of(std::size_t i, int family) const {
    return pods_[i]->address_of(family).str();
  }
  [[nodiscard]] std::vector<std::vector<std::string>> addresses() const {
    std::vector<std::vector<std::string>> all;
    for (std::size_t i = 0; i < pods_.size(); ++i)
      all.push_back({address_of(i, AF_INET), address_of(i, AF_INET6)});
    return all;
  }

  void write(const json& objects) const {
    json items = json::array();
    for (const char* kind : {"namespaces", "pods", "policies"})
      for (const json& item : objects.at(kind)) items.push_back(item);
    must(write_file_atomically(folder_ / "policies.json",
                               json{{"kind", "List"}, {"items", items}}.dump()));
  }

  /// Sends the frame; `id` tells it from all others.
  void send(const Probe& probe, std::uint16_t id) const {
    const PodPort& from = ports_[probe.from];
    const PodPort& to = ports_[probe.to];
    IpPacket packet{
        .family = probe.family,
        .dst_mac =
            (&node_of(probe.from) == &node_of(probe.to) ? to.pod_mac : from.gateway_mac).str(),
        .src_mac = from.pod_mac.str(),
        .src = address_of(probe.from, probe.family),
        .dst = address_of(probe.to, probe.family),
        .protocol = number_of(probe.protocol),
        .src_port = id,
        .dst_port = static_cast<std::uint16_t>(probe.port),
        .tcp_flags = 2};
    if (probe.protocol == "SCTP") {
      // Ports, tag, checksum, and an INIT chunk of 20 bytes.
      packet.payload.assign(32, 0);
      packet.payload[0] = static_cast<std::uint8_t>(id >> 8);
      packet.payload[1] = static_cast<std::uint8_t>(id);
      packet.payload[3] = static_cast<std::uint8_t>(probe.port);
      packet.payload[12] = 1;
      packet.payload[15] = 20;
    }
    send_frame(pods_[probe.from]->netns, "eth0", ip_packet(packet));
  }

  /// The ids of probes that have arrived at the pod.
  std::set<std::uint16_t> arrived_at(std::size_t i) {
    std::set<std::uint16_t> ids;
    for (const WireFrame& frame : captures_[i]->frames()) {
      if (frame.outer.dst_mac != ports_[i].pod_mac) continue;
      if (frame.outer.protocol == IPPROTO_SCTP) {
        const std::size_t at = ETH_HLEN + (frame.outer.src.is_v4() ? 20 : 40);
        ids.insert(static_cast<std::uint16_t>(frame.bytes.at(at) << 8 | frame.bytes.at(at + 1)));
      } else if (frame.outer.dst_port >= kFirstPort && frame.outer.dst_port < kFirstPort + kPorts) {
        ids.insert(frame.outer.src_port);
      }
    }
    return ids;
  }

  /// How many packets the policies' table has dropped on both nodes.
  [[nodiscard]] std::uint64_t dropped() const {
    std::uint64_t packets = 0;
    for (const Node* node : {&cluster.a, &cluster.b}) {
      const json listing = json::parse(node->must_run({"nft", "-j", "list", "ruleset"}));
      for (const json& item : listing["nftables"]) {
        if (!item.contains("rule") || item["rule"]["table"] != "kube-cni-policy") continue;
        for (const json& part : item["rule"]["expr"])
          if (part.contains("counter")) packets += part["counter"]["packets"].get<std::uint64_t>();
      }
    }
    return packets;
  }

  [[nodiscard]] std::vector<Probe> all_probes() const {
    std::vector<Probe> probes;
    for (std::size_t from = 0; from < pods_.size(); ++from)
      for (std::size_t to = 0; to < pods_.size(); ++to)
        for (const int family : {AF_INET, AF_INET6})
          for (const char* protocol : {"TCP", "UDP", "SCTP"})
            for (int port = kFirstPort; port < kFirstPort + kPorts; ++port)
              if (from != to) probes.push_back({from, to, family, protocol, port});
    return probes;
  }

  void use_ids_again() {
    next_id_ = 1000;
    for (std::size_t i = 0; i < pods_.size(); ++i)
      captures_[i] = std::make_unique<Capture>(pods_[i]->netns, "eth0");
  }

  /// Sends all frames once. Result: what differs from the oracle's answers. Every frame that did
  /// not arrive has to be counted as dropped: so nothing is still on its way.
  std::string differences(const PolicyOracle& oracle) {
    const auto probes = all_probes();
    const std::uint64_t before = dropped();
    if (next_id_ + probes.size() > 50000) use_ids_again();
    std::map<std::uint16_t, const Probe*> sent;
    for (const Probe& probe : probes) {
      sent[next_id_] = &probe;
      send(probe, next_id_++);
    }
    std::set<std::uint16_t> arrived;
    const bool is_settled = eventually(
        [&] {
          arrived.clear();
          for (std::size_t i = 0; i < pods_.size(); ++i)
            for (const std::uint16_t id : arrived_at(i))
              if (sent.contains(id)) arrived.insert(id);
          return arrived.size() + (dropped() - before) >= probes.size();
        },
        std::chrono::seconds(2));
    std::string wrong;
    std::size_t count = 0;
    for (const auto& [id, probe] : sent) {
      const std::string from = address_of(probe->from, probe->family);
      const std::string to = address_of(probe->to, probe->family);
      const bool expected = oracle.allows(from, to, probe->protocol, probe->port);
      if (arrived.contains(id) == expected) continue;
      if (++count <= 5)
        wrong += from + " -> " + to + " " + probe->protocol + " " + std::to_string(probe->port) +
                 (expected ? " is dropped\n" : " passes\n");
    }
    if (count > 5) wrong += "and " + std::to_string(count - 5) + " others\n";
    if (wrong.empty() && !is_settled) wrong = "frames were neither seen nor counted as dropped\n";
    return wrong;
  }

  /// A table that is being changed may be seen half-way; the last one counts.
  void expect_as_the_oracle_says(const json& objects) {
    const PolicyOracle oracle(objects);
    std::string wrong;
    EXPECT_TRUE(eventually([&] { return (wrong = differences(oracle)).empty(); }))
        << wrong << objects.dump(1) << cluster.daemon_a->err() << cluster.daemon_b->err();
  }

  /// All pods with a policy that closes those of `space`.
  [[nodiscard]] json closing(const std::string& space, const json& ingress = json::array()) const {
    json objects = RandomPolicies(1).cluster(pods_.size(), 0, addresses());
    objects["policies"].push_back({{"kind", "NetworkPolicy"},
                                   {"metadata", {{"name", "closed"}, {"namespace", space}}},
                                   {"spec", {{"policyTypes", {"Ingress"}}, {"ingress", ingress}}}});
    return objects;
  }

  TempDir folder_;
  Cluster cluster;
  std::vector<std::unique_ptr<Pod>> pods_;
  std::vector<PodPort> ports_;
  std::vector<std::unique_ptr<Capture>> captures_;
  std::uint16_t next_id_ = 1000;
};

class PolicyTruth : public PolicyTest, public testing::WithParamInterface<Case> {
 protected:
  PolicyTruth() : PolicyTest(GetParam()) {}
};

TEST_P(PolicyTruth, TablesAreWhatTheOracleSays) {
  add_pods();
  for (unsigned seed = 1; seed <= 4 && !HasFailure(); ++seed) {
    const json objects = RandomPolicies(seed).cluster(pods_.size(), 1 + seed % 4, addresses());
    SCOPED_TRACE("seed " + std::to_string(seed));

    write(objects);

    expect_as_the_oracle_says(objects);
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, PolicyTruth,
                         testing::Values(Case{"ebpf", "direct"}, Case{"ebpf", "vxlan"},
                                         Case{"bridge", "direct"}, Case{"bridge", "vxlan"}),
                         name_of);

class PolicyOfANode : public PolicyTest {
 protected:
  PolicyOfANode() : PolicyTest({"ebpf", "direct"}) { add_pods(); }

  [[nodiscard]] bool is_policed(std::size_t i) const {
    const auto endpoint = must(
        node_of(i).dataplane().pods.endpoints.endpoints().find(node_of(i).endpoint_key(*pods_[i])));
    return endpoint && (endpoint->flags & KUBECNI_ENDPOINT_POLICED);
  }
  [[nodiscard]] static bool has_table(const Node& node) {
    return node.must_run({"nft", "list", "tables"}).find("kube-cni-policy") != std::string::npos;
  }
};

TEST_F(PolicyOfANode, EndsWithTheLastPolicy) {
  const json objects = closing("x");
  write(objects);
  expect_as_the_oracle_says(objects);
  EXPECT_TRUE(is_policed(0)) << "it is in the namespace";
  EXPECT_FALSE(is_policed(2)) << "it is not";

  json none = objects;
  none["policies"] = json::array();
  write(none);

  EXPECT_TRUE(eventually([&] { return !has_table(cluster.a) && !is_policed(0); }));
  EXPECT_FALSE(std::filesystem::exists(cluster.a.state_dir() / "policies"));
}

TEST_F(PolicyOfANode, HoldsWhateverTheSysctlOfBridgesSays) {
  const json objects = closing("x");
  write(objects);
  expect_as_the_oracle_says(objects);
  // No round of the daemon puts it right.
  for (auto* daemon : {&cluster.daemon_a, &cluster.daemon_b}) {
    (*daemon)->signal(SIGTERM);
    (*daemon)->wait();
  }
  for (const Node* node : {&cluster.a, &cluster.b})
    for (const char* name :
         {"net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"})
      node->set_sysctl(name, "0");

  EXPECT_EQ(differences(PolicyOracle(objects)), "");
}

TEST_F(PolicyOfANode, ComesBackWhenSomebodyFlushesTheRuleset) {
  const json objects = closing("x");
  write(objects);
  expect_as_the_oracle_says(objects);

  for (const Node* node : {&cluster.a, &cluster.b}) node->must_run({"nft", "flush", "ruleset"});

  expect_as_the_oracle_says(objects);
}

TEST_F(PolicyOfANode, StaysWhenTheDaemonStartsAgain) {
  const json objects = closing("x");
  write(objects);
  expect_as_the_oracle_says(objects);
  std::filesystem::remove(folder_ / "policies.json");
  cluster.daemon_a->signal(SIGTERM);
  cluster.daemon_a->wait();
  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));

  ASSERT_TRUE(eventually([&] { return knows_cidr(cluster.a, cluster.member(1).cidrs[0]); }));
  EXPECT_EQ(differences(PolicyOracle(objects)), "");
}

TEST_F(PolicyOfANode, WithoutTheTableANewPodIsRefused) {
  const json objects = closing("x");
  write(objects);
  expect_as_the_oracle_says(objects);
  cluster.daemon_a->signal(SIGTERM);
  cluster.daemon_a->wait();
  cluster.a.must_run({"nft", "delete", "table", "inet", "kube-cni-policy"});

  const Pod late("late");
  const json from_daemon{{"subnet", nullptr}, {"ipam", nullptr}};
  EXPECT_TRUE(failed(cluster.a.cni("ADD", late, from_daemon), 11, "network policies"));

  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));
  EXPECT_TRUE(eventually([&] { return has_table(cluster.a); }));
  EXPECT_TRUE(ok(cluster.a.cni("ADD", late, from_daemon)));
}

TEST_F(PolicyOfANode, HoldsForLinkLocalAddressesToo) {
  const json objects = closing("x");
  write(objects);
  expect_as_the_oracle_says(objects);

  // Of y and z, to one of x, all on one node.
  for (const std::size_t to : {std::size_t{0}, std::size_t{4}}) {
    const std::uint16_t id = static_cast<std::uint16_t>(53000 + to);
    send_frame(pods_[2]->netns, "eth0",
               ip_packet({.family = AF_INET6,
                          .dst_mac = ports_[to].pod_mac.str(),
                          .src_mac = ports_[2].pod_mac.str(),
                          .src = ports_[2].pod_mac.link_local().str(),
                          .dst = ports_[to].pod_mac.link_local().str(),
                          .src_port = id,
                          .dst_port = kFirstPort}));
  }
  EXPECT_TRUE(eventually([&] { return arrived_at(4).contains(53004); }));
  EXPECT_FALSE(arrived_at(0).contains(53000));
}

TEST_F(PolicyOfANode, BlockMayHaveManyExceptions) {
  json except = json::array();
  for (int i = 0; i < 200; ++i) except.push_back("172.16." + std::to_string(i) + ".0/24");
  except.push_back("172.16.0.0/20");
  const json rule{{"from", {{{"ipBlock", {{"cidr", "0.0.0.0/0"}, {"except", except}}}}}}};
  const json objects = closing("x", json::array({rule}));

  write(objects);

  expect_as_the_oracle_says(objects);
}

// Other nodes are tested at an address in the node's PodCIDR that is no pod's.
TEST_F(PolicyOfANode, LeavesTheTestOfOtherNodesAlone) {
  const json objects = closing("x");
  write(objects);
  expect_as_the_oracle_says(objects);
  cluster.daemon_a->signal(SIGTERM);
  cluster.daemon_a->wait();
  std::filesystem::remove(cluster.a.run_dir() / "status.json");
  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));

  json probes;
  EXPECT_TRUE(eventually([&] {
    const auto text = read_file(cluster.a.run_dir() / "status.json");
    if (!text) return false;
    probes = json::parse(*text).at("probes");
    return probes.at("answering") == 2 && probes.at("silent") == 0;
  })) << probes.dump(1);
}

TEST_F(PolicyOfANode, ANewPodIsClosedUntilItIsKnown) {
  json objects = closing("x");
  write(objects);
  expect_as_the_oracle_says(objects);

  add_pod(pods_.size());

  const std::size_t fresh = pods_.size() - 1;
  EXPECT_TRUE(is_policed(fresh));
  // Its first frames, as soon as ADD has returned, and all later ones.
  for (int i = 0; i < 50; ++i) {
    send({fresh, 2, AF_INET, "UDP", 80}, static_cast<std::uint16_t>(50000 + i));
    send({2, fresh, AF_INET, "UDP", 80}, static_cast<std::uint16_t>(51000 + i));
  }
  send({4, 2, AF_INET, "UDP", 80}, 52000);
  ASSERT_TRUE(eventually([&] { return arrived_at(2).contains(52000); }));
  for (int i = 0; i < 50; ++i) {
    EXPECT_FALSE(arrived_at(2).contains(static_cast<std::uint16_t>(50000 + i))) << i;
    EXPECT_FALSE(arrived_at(fresh).contains(static_cast<std::uint16_t>(51000 + i))) << i;
  }

  objects = closing("x");
  write(objects);

  expect_as_the_oracle_says(objects);
}

TEST_F(PolicyOfANode, HoldsForAConnectionThatIsOpen) {
  const json open = closing("y", json::array({json::object()}));
  write(open);
  expect_as_the_oracle_says(open);
  TcpTransfer transfer({.client = pods_[0]->netns,
                        .server = pods_[1]->netns,  // of y
                        .to = pods_[1]->address,
                        .bytes = TcpTransfer::kUntilFinish,
                        .bytes_per_second = 4 << 20});
  ASSERT_TRUE(eventually([&] { return transfer.bytes_received() > 0; }));
  const auto before = cluster.a.counters();
  EXPECT_TRUE(eventually([&] {
    return grown(before, cluster.a.counters(), KUBECNI_FAST_TO_NODE) > 100;
  })) << "what the kernel path lets pass, eBPF carries";

  write(closing("y"));
  using Clock = std::chrono::steady_clock;
  std::uint64_t last = 0;
  auto since = Clock::now();
  EXPECT_TRUE(eventually([&] {
    if (const auto now = transfer.bytes_received(); now != std::exchange(last, now))
      since = Clock::now();
    return Clock::now() - since > std::chrono::milliseconds(500);
  }));
  const auto stopped_at = transfer.bytes_received();

  write(open);

  EXPECT_TRUE(eventually([&] { return transfer.bytes_received() > stopped_at; }));
  EXPECT_TRUE(ok(transfer.finish()));
}

}  // namespace
}  // namespace kubecni::test
