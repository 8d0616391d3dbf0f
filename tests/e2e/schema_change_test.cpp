// The daemon or the plugin of a node has maps of another schema: the daemon changes to its own
// while pods run, and no packet is lost.

#include "cluster.hpp"
#include "conversation.hpp"
#include "support/traffic.hpp"

#include <bpf/bpf.h>

#include <csignal>
#include <filesystem>
#include <set>

namespace kubecni::test {
namespace {

namespace fs = std::filesystem;

// kube-cni and kube-cnid of the schema that the tests build: beside those of this build.
constexpr const char* kOther = "other-schema/";
constexpr const char* kOtherPins = "v9003";
constexpr std::uint64_t kBytesPerSecond = 24 << 20;
constexpr std::chrono::seconds kSwitched{30};

class SchemaChange : public testing::Test {
 protected:
  [[nodiscard]] std::string own_pins() const {
    return PinPaths(cluster.a.bpffs()).maps.parent_path().filename();
  }
  [[nodiscard]] std::set<std::string> schemas() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(cluster.a.bpffs()))
      if (entry.path().filename() != "links") names.insert(entry.path().filename());
    return names;
  }
  [[nodiscard]] ExitCounts counters(const std::string& pins) const {
    return must(read_exit_counts_at(cluster.a.bpffs() / pins / "maps" / "exit_counts"));
  }

  void stop_daemon(int signal = SIGTERM) {
    cluster.daemon_a->signal(signal);
    cluster.daemon_a->wait();
  }
  void start_daemon(const std::string& programs) {
    cluster.a.use_programs_of(programs);
    cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));
  }
  /// Stops the node's daemon, starts the other one, and waits until it has changed to `pins`.
  void change_to(const std::string& programs, const std::string& pins) {
    stop_daemon();
    start_daemon(programs);
    ASSERT_TRUE(eventually([&] { return schemas() == std::set{pins}; }, kSwitched))
        << cluster.daemon_a->err();
  }

  [[nodiscard]] TcpTransfer::Options transfer() const {
    return {.client = cluster.pod_a->netns,
            .server = cluster.pod_b->netns,
            .to = cluster.pod_b->address,
            .bytes = TcpTransfer::kUntilFinish,
            .bytes_per_second = kBytesPerSecond};
  }
  [[nodiscard]] std::optional<kubecni_endpoint> find_endpoint(const Pod& pod) const {
    return must(cluster.a.dataplane().pods.endpoints.endpoints().find(cluster.a.endpoint_key(pod)));
  }
  /// Checks that eBPF carries packets between pods of this node and of the other.
  void expect_on_ebpf(const std::string& pins) {
    const ExitCounts before = counters(pins);
    EXPECT_TRUE(ok(udp_echo(cluster.pod_a->netns, near.netns, near.address, 10)));
    EXPECT_TRUE(ok(udp_echo(cluster.pod_a->netns, cluster.pod_b->netns, cluster.pod_b->address)));
    const ExitCounts after = counters(pins);
    EXPECT_GE(grown(before, after, KUBECNI_FAST_TO_LOCAL_POD), 20u) << growth(before, after);
    EXPECT_GE(grown(before, after, KUBECNI_FAST_TO_NODE), 5u) << growth(before, after);
    EXPECT_GE(grown(before, after, KUBECNI_FAST_FROM_WIRE), 5u) << growth(before, after);
  }

  Cluster cluster{"ebpf"};
  Pod near = cluster.add_pod(cluster.a, "near");
};

TEST_F(SchemaChange, ToAnotherSchemaAndBackLosesNoPacketAndNoCount) {
  Conversation here(near, *cluster.pod_a);
  Conversation far(near, *cluster.pod_b);
  TcpTransfer stream(transfer());
  ASSERT_TRUE(eventually([&] {
    return here.asked() > 100 && far.asked() > 100 && stream.bytes_received() > kBytesPerSecond;
  }));
  const auto counted = counters(own_pins());

  change_to(kOther, kOtherPins);
  const auto counted_by_other = counters(kOtherPins);
  expect_on_ebpf(kOtherPins);
  change_to("", own_pins());
  expect_on_ebpf(own_pins());

  EXPECT_TRUE(ok(stream.finish()));
  here.stop();
  far.stop();
  EXPECT_EQ(here.lost(), 0u) << "of " << here.asked();
  EXPECT_EQ(far.lost(), 0u) << "of " << far.asked();
  EXPECT_GE(counted_by_other[KUBECNI_FAST_TO_LOCAL_POD].packets,
            counted[KUBECNI_FAST_TO_LOCAL_POD].packets);
  EXPECT_GE(counters(own_pins())[KUBECNI_FAST_TO_LOCAL_POD].packets,
            counted_by_other[KUBECNI_FAST_TO_LOCAL_POD].packets);
}

TEST_F(SchemaChange, DaemonKilledInTheMiddleIsFinishedByTheNext) {
  Conversation here(near, *cluster.pod_a);
  Conversation far(near, *cluster.pod_b);
  const fs::path other = cluster.a.bpffs() / kOtherPins;
  const auto is_there = [](const fs::path& pin) { return [pin] { return fs::exists(pin); }; };

  stop_daemon(SIGKILL);
  for (const std::function<bool()>& moment : std::vector<std::function<bool()>>{
           is_there(other / "maps" / "endpoints4"), is_there(other / "progs" / "to_pod"),
           [&] { return counters(kOtherPins)[KUBECNI_FAST_SENT_TO_WIRE].packets != 0; },
           [&] { return counters(kOtherPins)[KUBECNI_FAST_TO_LOCAL_POD].packets != 0; }}) {
    start_daemon(kOther);
    ASSERT_TRUE(eventually(moment, kSwitched)) << cluster.daemon_a->err();
    stop_daemon(SIGKILL);
  }
  start_daemon(kOther);

  ASSERT_TRUE(eventually([&] { return schemas() == std::set<std::string>{kOtherPins}; }, kSwitched))
      << cluster.daemon_a->err();
  expect_on_ebpf(kOtherPins);
  here.stop();
  far.stop();
  EXPECT_EQ(here.lost() + far.lost(), 0u) << "of " << here.asked() + far.asked();
}

TEST_F(SchemaChange, PluginOfAnotherSchemaAddsChecksAndRemovesPodsBesideTheDaemon) {
  cluster.a.use_programs_of(kOther);
  const nlohmann::json daemon_knows{{"subnet", nullptr}, {"ipam", nullptr}};
  const std::uint32_t former = find_endpoint(near).value().host_ifindex;

  Pod added("added");
  const auto answer = cluster.a.cni("ADD", added, daemon_knows);
  ASSERT_TRUE(ok(answer));
  added.address = IpNet::parse(answer.json["ips"][0]["address"].get<std::string>()).value().addr;

  EXPECT_TRUE(ok(ping(added.netns, near.address)));
  EXPECT_TRUE(ok(ping(added.netns, cluster.pod_b->address)));
  nlohmann::json check = daemon_knows;
  check["prevResult"] = answer.json;
  EXPECT_TRUE(ok(cluster.a.cni("CHECK", added, check)));
  // The daemon moves the pod to its own schema, and removes what the plugin loaded.
  EXPECT_TRUE(eventually(
      [&] { return schemas() == std::set{own_pins()} && find_endpoint(added).has_value(); },
      kSwitched));
  EXPECT_TRUE(ok(cluster.a.cni("CHECK", added, check)));

  const fs::path link = PinPaths(cluster.a.bpffs()).links /
                        (cluster.a.attachment(near).port.host_ifname + "_from_pod");
  ASSERT_TRUE(fs::exists(link));
  const EndpointKey key = cluster.a.endpoint_key(near);
  stop_daemon();
  EXPECT_TRUE(ok(cluster.a.cni("DEL", near, daemon_knows)));

  EXPECT_FALSE(fs::exists(link));
  EXPECT_FALSE(must(cluster.a.dataplane().pods.endpoints.endpoints().find(key)))
      << "pods would send to an interface that is gone";
  start_daemon("");
  EXPECT_TRUE(eventually([&] {
    const auto ifaces = must(cluster.a.dataplane().pods.endpoints.pod_ifaces().entries());
    return std::ranges::none_of(ifaces, [&](const auto& entry) { return entry.first == former; });
  }));
}

class UnloadableSchema : public SchemaChange {
 protected:
  /// A map of the other schema that its programs cannot use.
  void spoil() const {
    const fs::path maps = cluster.a.bpffs() / kOtherPins / "maps";
    fs::create_directories(maps);
    const UniqueFd flows(bpf_obj_get((PinPaths(cluster.a.bpffs()).maps / "flows4").c_str()));
    ASSERT_EQ(bpf_obj_pin(flows.get(), (maps / "endpoints4").c_str()), 0);
  }
  void expect_kernel_path_alone(const std::string& mode) {
    stop_daemon();
    spoil();
    cluster.a.use_dataplane(mode);
    start_daemon(kOther);

    EXPECT_TRUE(eventually([&] {
      return cluster.daemon_a->err().find("detached the programs of another schema") !=
             std::string::npos;
    })) << cluster.daemon_a->err();
    EXPECT_FALSE(fs::exists(cluster.a.bpffs() / own_pins()));
    EXPECT_TRUE(ok(udp_echo(cluster.pod_a->netns, near.netns, near.address)));
    EXPECT_TRUE(ok(udp_echo(cluster.pod_a->netns, cluster.pod_b->netns, cluster.pod_b->address)));
  }
};

TEST_F(UnloadableSchema, LeavesNoProgramsWhoseMapsNobodyCorrects) {
  expect_kernel_path_alone("auto");
}

TEST_F(UnloadableSchema, LeavesNoneToTheKernelPathEither) { expect_kernel_path_alone("bridge"); }

}  // namespace
}  // namespace kubecni::test
