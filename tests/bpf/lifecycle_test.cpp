// Loading, pinning, upgrading, and the maps: what stays on a node between calls of the plugin.
#include "dataplane/bpf_fs.hpp"
#include "dataplane/counters.hpp"
#include "dataplane/ebpf_dataplane.hpp"
#include "dataplane/map_fill.hpp"
#include "dataplane/pins.hpp"
#include "dataplane/program_object.hpp"
#include "namespaces.hpp"

#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <vector>

namespace kubecni::test {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr unsigned kNetwork = 7;
constexpr std::uint32_t kFlows = 4096;

/// Each test has pins of its own, so that it may lose them.
class Lifecycle : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_run_bpf()) GTEST_SKIP() << kWhySkipped;
    const auto& place = PrivateNamespaces::enter();
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    bpffs_ = place.bpffs() / test->name();
    run_dir_ = place.run_dir();
    std::filesystem::create_directories(bpffs_);
  }
  void TearDown() override {
    if (may_run_bpf()) std::filesystem::remove_all(bpffs_);
  }

  [[nodiscard]] EbpfDataplane open() const {
    return must(EbpfDataplane::open(bpffs_, run_dir_, {.max_flows = kFlows}));
  }
  [[nodiscard]] unsigned program_id(const Program& hook) const {
    const UniqueFd fd(bpf_obj_get((PinPaths(bpffs_).progs / hook.name).c_str()));
    bpf_prog_info info{};
    __u32 size = sizeof(info);
    return bpf_obj_get_info_by_fd(fd.get(), &info, &size) == 0 ? info.id : 0;
  }
  static IpAddr addr(const char* text) { return IpAddr::parse(text).value(); }
  static PodEndpoint pod_on(const Device& host) {
    return {.host = host,
            .network = kNetwork,
            .addresses = {addr("192.0.2.10"), addr("2001:db8::10")},
            .pod_mac = MacAddr::parse("00:00:5e:00:53:0a").value(),
            .gateway_mac = MacAddr::parse("00:00:5e:00:53:01").value()};
  }

  std::filesystem::path bpffs_;
  std::filesystem::path run_dir_;
};

TEST_F(Lifecycle, NothingIsLoadedAtFirst) {
  const auto loaded = EbpfDataplane::open_loaded(bpffs_);

  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ENOENT) << loaded.error().what;
  EXPECT_EQ(read_exit_counts(bpffs_).error().code, ENOENT);
}

TEST_F(Lifecycle, SaysHowFullEachKindOfMapIs) {
  EXPECT_EQ(read_map_fills(bpffs_).error().code, ENOENT);
  auto dataplane = open();
  using FlowMap = BpfMap<kubecni_flow4, kubecni_flow_state>;
  auto flows = must(FlowMap::open(PinPaths(bpffs_).maps / "flows4"));
  constexpr std::uint32_t kEntries = 2500;  // more than one call of the kernel returns
  for (std::uint32_t i = 0; i < kEntries; ++i) {
    must(dataplane.pods.endpoints.endpoints().set({kNetwork, addr("198.18.0.0").plus(i)}, {}));
    must(dataplane.node_cidrs.set({addr("2001:db8::").plus(i), 128}, {}));
    kubecni_flow4 flow{};
    std::memcpy(flow.src, &i, sizeof(i));
    must(flows.set(flow, {}));
  }

  std::map<std::string, MapFill> fills;
  for (auto& fill : must(read_map_fills(bpffs_))) fills[fill.name] = fill;

  EXPECT_EQ(fills["endpoints4"].entries, kEntries);
  EXPECT_EQ(fills["endpoints4"].max_entries, KUBECNI_MAX_ENDPOINTS);
  EXPECT_EQ(fills["node_cidrs6"].entries, kEntries);
  EXPECT_EQ(fills["flows4"].entries, kEntries);
  EXPECT_EQ(fills["flows6"].entries, 0u);
  EXPECT_FALSE(fills.contains("exit_counts"));
}

TEST_F(Lifecycle, EstimatesTheFillOfALargeFlowTable) {
  const auto loaded = must(EbpfDataplane::open(bpffs_, run_dir_));
  constexpr __u32 kEntries = 100'000;
  std::vector<kubecni_flow4> keys(kEntries);
  for (__u32 i = 0; i < kEntries; ++i) std::memcpy(keys[i].src, &i, sizeof(i));
  const std::vector<kubecni_flow_state> values(kEntries);
  const UniqueFd flows(bpf_obj_get((PinPaths(bpffs_).maps / "flows4").c_str()));
  __u32 count = kEntries;
  ASSERT_EQ(bpf_map_update_batch(flows.get(), keys.data(), values.data(), &count, nullptr), 0);

  const auto fills = must(read_map_fills(bpffs_));

  const auto found = std::ranges::find(fills, "flows4", &MapFill::name);
  ASSERT_NE(found, fills.end());
  EXPECT_NEAR(static_cast<double>(found->entries), kEntries, kEntries / 10.0);
}

/// The maps of the pinned program, according to the kernel: each pair named without the family, as
/// in the list. Those without a name of ours are the compiler's.
std::set<std::string> maps_of(const std::filesystem::path& pin) {
  const UniqueFd fd(bpf_obj_get(pin.c_str()));
  std::vector<__u32> ids(64);
  bpf_prog_info info{};
  info.nr_map_ids = static_cast<__u32>(ids.size());
  info.map_ids = reinterpret_cast<std::uintptr_t>(ids.data());
  __u32 size = sizeof(info);
  std::set<std::string> names;
  if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0) return names;
  for (__u32 i = 0; i < info.nr_map_ids; ++i) {
    const UniqueFd map(bpf_map_get_fd_by_id(ids[i]));
    bpf_map_info of_map{};
    __u32 map_size = sizeof(of_map);
    bpf_obj_get_info_by_fd(map.get(), &of_map, &map_size);
    std::string name = of_map.name;
    if (name.find('.') != name.npos) continue;
    if (name.ends_with('4') || name.ends_with('6')) name.pop_back();
    names.insert(name);
  }
  return names;
}

TEST_F(Lifecycle, ProgramsUseTheMapsOfTheList) {
  const auto loaded = open();

  for (const Program& program : kPrograms) {
    std::istringstream listed(program.maps);
    const std::set<std::string> expected{std::istream_iterator<std::string>(listed), {}};
    EXPECT_EQ(maps_of(PinPaths(bpffs_).progs / program.name), expected) << program.name;
  }
}

TEST_F(Lifecycle, PluginNeedsNothingOfWhatIsForOtherNodes) {
  must(open().pods.endpoints.endpoints().set({kNetwork, addr("192.0.2.10")}, {}));
  std::filesystem::remove(PinPaths(bpffs_).progs / kToWire.name);
  std::filesystem::remove(PinPaths(bpffs_).maps / "node_cidrs4");

  EXPECT_TRUE(PodDataplane::open_loaded(bpffs_));
  EXPECT_EQ(EbpfDataplane::open_loaded(bpffs_).error().code, ENOENT);
}

TEST_F(Lifecycle, OpenedAgainItIsTheSame) {
  auto first = open();
  must(first.pods.endpoints.endpoints().set({kNetwork, addr("192.0.2.10")}, {}));
  const unsigned id = program_id(kFromPod);

  auto second = open();

  EXPECT_EQ(program_id(kFromPod), id);
  EXPECT_THAT(must(second.pods.endpoints.endpoints().entries()), SizeIs(1));
}

// They are read in portions.
TEST_F(Lifecycle, MapsOfThousandsAreReadWhole) {
  constexpr unsigned kNodes = 5000;
  auto dataplane = open();
  for (unsigned i = 0; i < kNodes; ++i) {
    const std::string number = std::to_string(i / 256) + "." + std::to_string(i % 256);
    must(dataplane.node_cidrs.set(IpNet::parse("10." + number + ".0/24").value(), {.mtu = 1400}));
    must(dataplane.tunnel_peers.set(addr(("172.16." + number).c_str()), {}));
  }

  const auto cidrs = must(dataplane.node_cidrs.entries());

  EXPECT_THAT(cidrs, SizeIs(kNodes));
  EXPECT_EQ(cidrs.at(IpNet::parse("10.19.135.0/24").value()).mtu, 1400u);
  EXPECT_THAT(must(dataplane.tunnel_peers.entries()), SizeIs(kNodes));
}

// Older kernels read all maps like this. No kernel can read a map of devices in portions.
TEST_F(Lifecycle, MapWithoutPortionsIsReadOneByOne) {
  const UniqueFd map(bpf_map_create(BPF_MAP_TYPE_DEVMAP_HASH, "devices", 4, 4, 8, nullptr));
  constexpr __u32 kLoopback = 1;
  for (const __u32 key : {7U, 8U, 9U})
    ASSERT_EQ(bpf_map_update_elem(map.get(), &key, &kLoopback, BPF_ANY), 0);

  const auto bytes = must(read_map(map.get(), 4, 4));

  EXPECT_EQ(bytes.count, 3u);
  EXPECT_THAT(bytes.keys, SizeIs(12));
  EXPECT_THAT(bytes.values, SizeIs(12));
}

TEST_F(Lifecycle, LostProgramIsLoadedAgainOnTheSameMaps) {
  must(open().pods.endpoints.endpoints().set({kNetwork, addr("192.0.2.10")}, {}));
  std::filesystem::remove(PinPaths(bpffs_).progs / kToWire.name);

  auto again = open();

  EXPECT_NE(program_id(kToWire), 0u);
  EXPECT_THAT(must(again.pods.endpoints.endpoints().entries()), SizeIs(1));
}

TEST_F(Lifecycle, FolderOnAnotherFileSystemIsRefused) {
  const TempDir elsewhere;

  const auto opened = EbpfDataplane::open(elsewhere.path(), run_dir_);

  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, EMEDIUMTYPE) << opened.error().what;
}

TEST_F(Lifecycle, UpgradeFromNothingLoadsTheProgramsOnce) {
  EXPECT_TRUE(must(upgrade_programs(bpffs_, run_dir_, {.max_flows = kFlows})).differed);
  const unsigned id = program_id(kFromPod);

  (void)open();

  EXPECT_EQ(program_id(kFromPod), id);
}

TEST_F(Lifecycle, FlowCachesHaveTheRoomThatTheyWereMadeWith) {
  const auto room = [&](const char* name) {
    const UniqueFd fd(bpf_obj_get((PinPaths(bpffs_).maps / name).c_str()));
    bpf_map_info info{};
    __u32 size = sizeof(info);
    return bpf_obj_get_info_by_fd(fd.get(), &info, &size) == 0 ? info.max_entries : 0;
  };
  (void)open();
  for (const char* name : {"flows4", "flows6"}) EXPECT_EQ(room(name), kFlows);

  const auto later = upgrade_programs(bpffs_, run_dir_, {.max_flows = 2 * kFlows});

  ASSERT_TRUE(later) << later.error().what;
  EXPECT_FALSE(later->differed);
  EXPECT_EQ(room("flows4"), kFlows) << "it has flows";
  EXPECT_EQ(room("endpoints4"), KUBECNI_MAX_ENDPOINTS);
}

TEST_F(Lifecycle, UpgradeToTheSameBuildChangesNothing) {
  auto dataplane = open();
  const unsigned id = program_id(kFromPod);

  EXPECT_FALSE(must(upgrade_programs(bpffs_, run_dir_, {.max_flows = kFlows})).differed);

  EXPECT_EQ(program_id(kFromPod), id);
}

TEST_F(Lifecycle, UpgradePutsTheProgramsOfThisBuildInPlaceOfOthers) {
  (void)open();
  const auto pin = PinPaths(bpffs_).progs / kFromPod.name;
  const UniqueFd other(bpf_obj_get((PinPaths(bpffs_).progs / kToPod.name).c_str()));
  std::filesystem::remove(pin);
  ASSERT_EQ(bpf_obj_pin(other.get(), pin.c_str()), 0);
  auto dataplane = open();
  must(dataplane.pods.endpoints.endpoints().set({kNetwork, addr("192.0.2.10")}, {}));

  EXPECT_TRUE(must(upgrade_programs(bpffs_, run_dir_, {.max_flows = kFlows})).differed);

  EXPECT_NE(program_id(kFromPod), program_id(kToPod));
  EXPECT_THAT(must(dataplane.pods.endpoints.endpoints().entries()), SizeIs(1));
  EXPECT_FALSE(must(upgrade_programs(bpffs_, run_dir_, {.max_flows = kFlows})).differed);
}

TEST_F(Lifecycle, UpgradeGoesOverToProgramsThatAskConntrackAsSoonAsTheyCan) {
  if (!must(open().programs.asks_conntrack()))
    GTEST_SKIP() << "the kernel's conntrack cannot be asked";
  const PinPaths pins(bpffs_);
  const BpfObject without = must(load_programs_without_conntrack(pins.maps, kFlows));
  for (const Program& hook : kPrograms) {
    std::filesystem::remove(pins.progs / hook.name);
    const auto* program = bpf_object__find_program_by_name(without.get(), hook.name);
    ASSERT_EQ(bpf_obj_pin(bpf_program__fd(program), (pins.progs / hook.name).c_str()), 0);
  }
  ASSERT_FALSE(must(open().programs.asks_conntrack()));

  const Upgrade upgrade = must(upgrade_programs(bpffs_, run_dir_, {.max_flows = kFlows}));

  EXPECT_TRUE(upgrade.differed);
  EXPECT_EQ(upgrade.no_conntrack_reason, "");
  EXPECT_TRUE(must(open().programs.asks_conntrack()));
}

TEST_F(Lifecycle, MapOfOtherSizesIsAnotherSchema) {
  const auto dataplane = open();
  const auto pin = PinPaths(bpffs_).maps / "endpoints4";

  EXPECT_TRUE(open_pinned_map(pin, 8, 20));
  EXPECT_EQ(open_pinned_map(pin, 4, 20).error().code, EPROTO);
  EXPECT_EQ(open_pinned_map(pin, 8, 24).error().code, EPROTO);
  EXPECT_EQ(open_pinned_map(PinPaths(bpffs_).maps / "absent", 8, 20).error().code, ENOENT);
}

TEST_F(Lifecycle, MapGivesBackWhatWasSet) {
  auto dataplane = open();
  auto& endpoints = dataplane.pods.endpoints.endpoints();
  EXPECT_THAT(must(endpoints.entries()), IsEmpty());

  const IpAddr v4 = addr("192.0.0.0");
  const IpAddr v6 = addr("2001:db8::");
  for (std::uint32_t i = 1; i <= 300; ++i) {
    must(endpoints.set({kNetwork, v4.plus(i)}, {.host_ifindex = i}));
    must(endpoints.set({kNetwork, v6.plus(i)}, {.host_ifindex = i}));
  }
  must(endpoints.set({kNetwork, addr("192.0.0.7")}, {.host_ifindex = 7000}));
  must(endpoints.erase({kNetwork, addr("192.0.0.8")}));
  must(endpoints.erase({kNetwork, addr("192.0.0.8")}));

  const auto entries = must(endpoints.entries());
  EXPECT_THAT(entries, SizeIs(599));
  for (const auto& [key, value] : entries) {
    const IpAddr& address = key.address;
    const unsigned low = address.bytes() - 2;
    const std::uint32_t i = std::uint32_t{address.data()[low]} << 8 | address.data()[low + 1];
    EXPECT_EQ(value.host_ifindex, i == 7 && address.is_v4() ? 7000u : i);
  }
  EXPECT_FALSE(must(endpoints.find({kNetwork, addr("192.0.0.8")})));
  EXPECT_EQ(must(endpoints.find({kNetwork, addr("192.0.0.9")})).value().host_ifindex, 9u);
}

TEST_F(Lifecycle, FullMapSaysSo) {
  auto dataplane = open();
  for (std::uint32_t i = 0; i < KUBECNI_MAX_ENDPOINTS; ++i)
    must(dataplane.pods.endpoints.pod_ifaces().set(i, {}));

  const auto set = dataplane.pods.endpoints.pod_ifaces().set(KUBECNI_MAX_ENDPOINTS, {});

  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, E2BIG) << set.error().what;
}

TEST_F(Lifecycle, PodIsAsItShouldBeUntilItIsRemoved) {
  auto dataplane = open();
  const Device host = add_device("pod_l");
  const PodEndpoint pod = pod_on(host);
  EXPECT_THAT(must(dataplane.pods.differences(pod)), SizeIs(5));

  must(dataplane.pods.attach(host));
  must(dataplane.pods.endpoints.add(pod));
  EXPECT_THAT(must(dataplane.pods.differences(pod)), IsEmpty());

  must(remove_pod(bpffs_, dataplane.pods.endpoints, host, pod.addresses));
  EXPECT_THAT(must(dataplane.pods.differences(pod)), SizeIs(5));
  EXPECT_TRUE(remove_pod(bpffs_, dataplane.pods.endpoints, host, pod.addresses)) << "twice is fine";
  remove_device(host);
}

TEST_F(Lifecycle, RecordOfAnotherPodAtAnInterfaceIsADifference) {
  auto dataplane = open();
  const Device host = add_device("pod_l");
  PodEndpoint pod = pod_on(host);
  must(dataplane.pods.attach(host));
  must(dataplane.pods.endpoints.add(pod));

  pod.pod_mac.bytes[5] ^= 1;
  EXPECT_THAT(must(dataplane.pods.differences(pod)), SizeIs(1));
  remove_device(host);
}

TEST_F(Lifecycle, APacerThatThePodMayHaveIsNoDifference) {
  auto dataplane = open();
  const Device host = add_device("pod_l");
  PodEndpoint pod = pod_on(host);
  must(dataplane.pods.attach(host));
  const auto differences = [&] { return must(dataplane.pods.differences(pod)).size(); };
  const Pacer pacer{.rate = 1'000'000, .burst = std::chrono::seconds(1), .queue = {}};
  pod.pacer = pacer;
  pod.shaped = Shaped::kSent;
  must(dataplane.pods.endpoints.add(pod));

  pod.shaped = Shaped::kAll;
  pod.or_shaped = Shaped::kSent;
  EXPECT_EQ(differences(), 0u);
  pod.pacer.rate *= 2;
  EXPECT_EQ(differences(), 1u) << "another limit";
  pod.pacer = pacer;
  pod.or_shaped = Shaped::kBoth;
  EXPECT_EQ(differences(), pod.addresses.size()) << "what it receives would bypass its limit";
  pod.or_shaped = Shaped::kAll;
  EXPECT_EQ(differences(), pod.addresses.size() + 1) << "it may have no pacer";

  must(dataplane.pods.endpoints.add(pod));
  EXPECT_EQ(differences(), 0u);
  pod.or_shaped = Shaped::kSent;
  EXPECT_EQ(differences(), 0u) << "nor does it need one";
  remove_device(host);
}

TEST_F(Lifecycle, PodIsRemovedWithoutItsAddressOrItsDevice) {
  auto dataplane = open();
  const PodEndpoint pod = pod_on({.ifindex = 1000, .name = "gone"});
  for (const auto& addresses : {pod.addresses, {pod.addresses[1]}, std::vector<IpAddr>()}) {
    must(dataplane.pods.endpoints.add(pod));

    // A caller that knows the address may not know the ifindex, and vice versa.
    const unsigned ifindex = addresses.empty() ? pod.host.ifindex : 0;
    must(remove_pod(bpffs_, dataplane.pods.endpoints, {.ifindex = ifindex, .name = "gone"},
                    addresses));

    EXPECT_THAT(must(dataplane.pods.endpoints.endpoints().entries()), IsEmpty());
    EXPECT_THAT(must(dataplane.pods.endpoints.pod_ifaces().entries()), IsEmpty());
  }
}

TEST_F(Lifecycle, AddressThatAnotherPodHasByNowStaysItsOwn) {
  auto dataplane = open();
  const PodEndpoint former = pod_on({.ifindex = 1000, .name = "former"});
  const PodEndpoint latter = pod_on({.ifindex = 1001, .name = "latter"});
  must(dataplane.pods.endpoints.add(former));
  must(dataplane.pods.endpoints.add(latter));

  must(remove_pod(bpffs_, dataplane.pods.endpoints, former.host, former.addresses));

  EXPECT_EQ(must(dataplane.pods.endpoints.endpoints().find({kNetwork, latter.addresses.front()}))
                .value()
                .host_ifindex,
            1001u);
  EXPECT_FALSE(must(dataplane.pods.endpoints.pod_ifaces().find(1000)));
}

TEST_F(Lifecycle, PodsOfTwoNetworksMayHaveTheSameAddresses) {
  auto dataplane = open();
  const PodEndpoint here = pod_on({.ifindex = 1000, .name = "here"});
  PodEndpoint there = pod_on({.ifindex = 1001, .name = "there"});
  there.network = kNetwork + 1;
  must(dataplane.pods.endpoints.add(here));
  must(dataplane.pods.endpoints.add(there));
  EXPECT_THAT(must(dataplane.pods.endpoints.endpoints().entries()), SizeIs(4));

  must(remove_pod(bpffs_, dataplane.pods.endpoints, here.host, here.addresses));

  for (const IpAddr& address : there.addresses) {
    EXPECT_FALSE(must(dataplane.pods.endpoints.endpoints().find({kNetwork, address})));
    EXPECT_EQ(must(dataplane.pods.endpoints.endpoints().find({there.network, address}))
                  .value()
                  .host_ifindex,
              1001u);
  }
}

TEST_F(Lifecycle, AddressOfAPodThatIsGoneTakesNothingFromOneThatLives) {
  auto dataplane = open();
  const Device host = add_device("pod_l");
  const PodEndpoint living = pod_on(host);
  PodEndpoint gone = pod_on({.ifindex = 1000, .name = "gone"});
  gone.network = kNetwork + 1;
  must(dataplane.pods.endpoints.add(living));
  must(dataplane.pods.endpoints.add(gone));

  must(
      remove_pod(bpffs_, dataplane.pods.endpoints, {.ifindex = 0, .name = "gone"}, gone.addresses));

  const auto left = must(dataplane.pods.endpoints.endpoints().entries());
  EXPECT_THAT(left, SizeIs(2));
  for (const auto& [key, endpoint] : left) EXPECT_EQ(endpoint.host_ifindex, host.ifindex);
  EXPECT_THAT(must(dataplane.pods.endpoints.pod_ifaces().entries()), SizeIs(1));
  remove_device(host);
}

TEST_F(Lifecycle, PodThatComesToAnotherBridgeLeavesTheFormerNetwork) {
  auto dataplane = open();
  PodEndpoint pod = pod_on({.ifindex = 1000, .name = "pod"});
  must(dataplane.pods.endpoints.add(pod));

  pod.network = kNetwork + 1;
  EXPECT_THAT(must(dataplane.pods.differences(pod)),
              testing::Contains("map pod_ifaces has another bridge for pod"));
  must(dataplane.pods.endpoints.add(pod));

  const auto endpoints = must(dataplane.pods.endpoints.endpoints().entries());
  EXPECT_THAT(endpoints, SizeIs(2));
  for (const auto& [key, endpoint] : endpoints) EXPECT_EQ(key.network, pod.network);
}

TEST_F(Lifecycle, PodIsRemovedThoughItsInterfaceRecordWasLost) {
  auto dataplane = open();
  const PodEndpoint pod = pod_on({.ifindex = 1000, .name = "pod"});
  must(dataplane.pods.endpoints.add(pod));
  must(dataplane.pods.endpoints.pod_ifaces().erase(1000));

  must(remove_pod(bpffs_, dataplane.pods.endpoints, pod.host, {}));

  EXPECT_THAT(must(dataplane.pods.endpoints.endpoints().entries()), IsEmpty());
}

TEST_F(Lifecycle, ClusterNetworkIsNoneUntilItIsSet) {
  auto dataplane = open();
  EXPECT_EQ(must(dataplane.node_config.cluster_network()), 0u);

  must(dataplane.node_config.set_cluster_network(kNetwork));

  EXPECT_EQ(must(open().node_config.cluster_network()), kNetwork);
}

TEST_F(Lifecycle, NodesAndPeersOfBothFamiliesAreKept) {
  auto dataplane = open();
  const IpNet v4 = IpNet::parse("198.51.100.0/24").value();
  const IpNet v6 = IpNet::parse("2001:db8:0:2::/64").value();
  kubecni_node node{};
  node.kind = KUBECNI_NODE_VXLAN;
  for (const IpNet& cidr : {v4, v6}) {
    node.vni = cidr.prefix;
    must(dataplane.node_cidrs.set(cidr, node));
    must(dataplane.tunnel_peers.set(cidr.addr, {.vni = cidr.prefix}));
    must(dataplane.tunnel_peers.set(IpAddr::any(cidr.addr.family()), {}));
  }

  EXPECT_EQ(must(dataplane.node_cidrs.entries()).at(v4).vni, 24u);
  EXPECT_EQ(must(dataplane.node_cidrs.entries()).at(v6).vni, 64u);
  EXPECT_EQ(must(dataplane.tunnel_peers.entries()).at(v4.addr).vni, 24u);
  EXPECT_EQ(must(dataplane.tunnel_peers.entries()).at(v6.addr).vni, 64u);
  EXPECT_THAT(must(dataplane.tunnel_peers.entries()), SizeIs(4));
  must(dataplane.node_cidrs.erase(v6));
  must(dataplane.node_cidrs.erase(v6));
  must(dataplane.tunnel_peers.erase(IpAddr::any(AF_INET)));
  EXPECT_THAT(must(dataplane.node_cidrs.entries()), SizeIs(1));
  EXPECT_THAT(must(dataplane.tunnel_peers.entries()), SizeIs(3));
}

TEST_F(Lifecycle, TunnelIsAttachedAndDetachedApartFromAWire) {
  auto dataplane = open();
  const Device tunnel = add_device("tunnel_l");
  must(dataplane.programs.attach(KUBECNI_ON_TUNNEL, tunnel));
  EXPECT_TRUE(must(dataplane.programs.is_attached(KUBECNI_ON_TUNNEL, tunnel)));
  EXPECT_TRUE(must(is_any_held(bpffs_, KUBECNI_ON_TUNNEL, tunnel)));
  EXPECT_FALSE(must(is_any_held(bpffs_, KUBECNI_ON_WIRE, tunnel)));

  must(detach_programs(bpffs_, KUBECNI_ON_WIRE, tunnel));
  EXPECT_TRUE(must(dataplane.programs.is_attached(KUBECNI_ON_TUNNEL, tunnel)));

  must(detach_programs(bpffs_, KUBECNI_ON_TUNNEL, tunnel));
  EXPECT_FALSE(must(dataplane.programs.is_attached(KUBECNI_ON_TUNNEL, tunnel)));
  EXPECT_FALSE(must(is_any_held(bpffs_, KUBECNI_ON_TUNNEL, tunnel)));
  remove_device(tunnel);
}

TEST_F(Lifecycle, WireIsAttachedAndDetached) {
  auto dataplane = open();
  const Device nic = add_device("nic_l");
  EXPECT_FALSE(must(dataplane.programs.is_attached(KUBECNI_ON_WIRE, nic)));

  must(dataplane.programs.attach(KUBECNI_ON_WIRE, nic));
  EXPECT_TRUE(must(dataplane.programs.is_attached(KUBECNI_ON_WIRE, nic)));

  must(detach_programs(bpffs_, KUBECNI_ON_WIRE, nic));
  EXPECT_FALSE(must(dataplane.programs.is_attached(KUBECNI_ON_WIRE, nic)));
  remove_device(nic);
}

}  // namespace
}  // namespace kubecni::test
