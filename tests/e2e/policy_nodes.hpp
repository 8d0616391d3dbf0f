#pragma once

#include "base/file.hpp"
#include "cluster.hpp"
#include "support/capture.hpp"
#include "support/eventually.hpp"
#include "support/packet.hpp"
#include "support/policy_oracle.hpp"
#include "support/program.hpp"
#include "support/random_policies.hpp"
#include "support/temp_dir.hpp"

#include <net/ethernet.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace kubecni::test {

using nlohmann::json;

inline constexpr int kFirstPort = 80;
inline constexpr int kPorts = 2;
inline constexpr std::size_t kPodsOfNode = 3;

struct PolicyMode {
  std::string dataplane;
  std::string routing;
  std::vector<std::string> daemon_options = {};
  std::string mode = "bridge";
};

/// A frame of the truth table. It is known again by its source port, or SCTP's.
struct Probe {
  std::size_t from, to;
  int family;
  std::string protocol;
  int port;
};

inline std::uint8_t number_of(const std::string& protocol) {
  return protocol == "TCP" ? IPPROTO_TCP : protocol == "UDP" ? IPPROTO_UDP : IPPROTO_SCTP;
}

/// Two nodes whose policies come from a file.
class PolicyTest : public testing::Test {
 protected:
  explicit PolicyTest(const PolicyMode& mode)
      : cluster({.dataplane = mode.dataplane,
                 .mode = mode.mode,
                 .families = Families::kDual,
                 .routing = {mode.routing},
                 .daemon_options = options_of(mode)}) {
    write({{"policies", json::array()}, {"pods", json::array()}, {"namespaces", json::array()}});
  }

  [[nodiscard]] std::vector<std::string> options_of(const PolicyMode& mode) const {
    std::vector<std::string> options = mode.daemon_options;
    options.insert(options.end(), {"--policy-file", (folder_ / "policies.json").string()});
    return options;
  }

  /// Makes the pods that RandomPolicies::cluster() names, on both nodes in turn.
  void add_pods() {
    for (std::size_t i = 0; i < 2 * kPodsOfNode; ++i) add_pod(i);
  }

  /// The call for pod number `i`; its namespace is x, y and z in turn.
  [[nodiscard]] CniCall call_for(const std::string& verb, const Pod& pod, std::size_t i,
                                 json changes = json::object()) const {
    static const std::vector<std::string> kSpaces{"x", "y", "z"};
    changes.update({{"subnet", nullptr}, {"ipam", nullptr}});
    CniCall call = node_of(i).call_for(verb, pod, changes);
    for (std::string& variable : call.env)
      if (variable == "CNI_ARGS=")
        variable = "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=" + kSpaces[i % 3] +
                   ";K8S_POD_NAME=pod" + std::to_string(i);
    return call;
  }

  void add_pod(std::size_t i) {
    auto pod = std::make_unique<Pod>("pod" + std::to_string(i));
    const auto answer = node_of(i).call(call_for("ADD", *pod, i));
    ASSERT_TRUE(ok(answer));
    for (const json& ip : answer.json["ips"])
      pod->addresses.push_back(IpNet::parse(ip["address"].get<std::string>()).value().addr);
    pod->address = pod->addresses.at(0);
    captures_.push_back(std::make_unique<Capture>(pod->netns, "eth0"));
    ports_.push_back(node_of(i).attachment(*pod).port);
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
    const bool is_on_bridge = !from.is_routed() && &node_of(probe.from) == &node_of(probe.to);
    IpPacket packet{.family = probe.family,
                    .dst_mac = (is_on_bridge ? to.pod_mac : from.gateway_mac).str(),
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

  /// What `kube-cnictl policy test` says of a connection between two pods of one node.
  [[nodiscard]] std::string verdict(const std::string& from, const std::string& to) const {
    const Node& node = cluster.a;
    return Process({.argv = {program("kube-cnictl"), "policy", "test", from, to,
                             std::to_string(kFirstPort), "--run-dir", node.run_dir(), "--state-dir",
                             node.state_dir(), "--bpffs", node.bpffs()},
                    .netns_fd = node.netns.fd()})
        .wait()
        .out;
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

  /// How many datagrams have arrived from the port at the pod.
  std::size_t arrived(std::size_t at, std::uint16_t port) {
    return static_cast<std::size_t>(
        std::ranges::count_if(captures_[at]->frames(), [&](const WireFrame& frame) {
          return frame.outer.dst_mac == ports_[at].pod_mac && frame.outer.src_port == port;
        }));
  }

  /// How many packets the policies' table, and the programs for want of it, have dropped on both
  /// nodes.
  [[nodiscard]] std::uint64_t dropped() const {
    std::uint64_t packets = 0;
    for (const Node* node : {&cluster.a, &cluster.b}) {
      if (node->is_ebpf()) packets += node->counters().at(KUBECNI_DROP_NOT_JUDGED).packets;
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

  /// Frames that are still on their way are taken for new ones.
  void forget_frames() {
    next_id_ = 1000;
    for (std::size_t i = 0; i < pods_.size(); ++i)
      captures_[i] = std::make_unique<Capture>(pods_[i]->netns, "eth0");
  }

  /// Whether a frame has to arrive; nullopt: it is not sent.
  using Expected = std::function<std::optional<bool>(const Probe&)>;

  [[nodiscard]] bool allows(const PolicyOracle& oracle, const Probe& probe) const {
    return oracle.allows(address_of(probe.from, probe.family), address_of(probe.to, probe.family),
                         probe.protocol, probe.port);
  }

  /// Sends all frames once. Result: what differs from the oracle's answers.
  std::string differences(const PolicyOracle& oracle) {
    return differences([&](const Probe& probe) { return std::optional(allows(oracle, probe)); });
  }

  /// Sends the frames once. Result: what is not as expected. Every frame that did not arrive has to
  /// be counted as dropped: so nothing is still on its way.
  std::string differences(const Expected& expected) {
    auto probes = all_probes();
    std::erase_if(probes, [&](const Probe& probe) { return !expected(probe); });
    const std::uint64_t before = dropped();
    if (next_id_ + probes.size() > 50000) forget_frames();
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
      if (arrived.contains(id) == expected(*probe)) continue;
      if (++count <= 5)
        wrong += address_of(probe->from, probe->family) + " -> " +
                 address_of(probe->to, probe->family) + " " + probe->protocol + " " +
                 std::to_string(probe->port) +
                 (arrived.contains(id) ? " passes\n" : " is dropped\n");
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

/// The same, with pods.
class PolicyOfANode : public PolicyTest {
 protected:
  explicit PolicyOfANode(const std::string& dataplane = "ebpf")
      : PolicyTest({dataplane, "direct"}) {
    add_pods();
  }

  [[nodiscard]] bool is_policed(std::size_t i) const {
    const auto endpoint = must(
        node_of(i).dataplane().pods.endpoints.endpoints().find(node_of(i).endpoint_key(*pods_[i])));
    return endpoint && (endpoint->flags & KUBECNI_ENDPOINT_POLICED);
  }
  [[nodiscard]] static bool has_table(const Node& node) {
    return node.must_run({"nft", "list", "tables"}).find("kube-cni-policy") != std::string::npos;
  }
};

}  // namespace kubecni::test
