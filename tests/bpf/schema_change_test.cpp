// What is kept of maps of another schema, and when its pins go.
#include "dataplane/schema_change.hpp"

#include "dataplane/counters.hpp"
#include "dataplane/ebpf_dataplane.hpp"
#include "dataplane/pins.hpp"
#include "dataplane/program_object.hpp"
#include "namespaces.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kubecni::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using Flows4 = BpfMap<kubecni_flow4, kubecni_flow_state>;
using Flows6 = BpfMap<kubecni_flow6, kubecni_flow_state>;

/// Our maps, and beside them those of schema 2.
class OtherSchema : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_run_bpf()) GTEST_SKIP() << kWhySkipped;
    const auto& place = PrivateNamespaces::enter();
    bpffs_ = place.bpffs() / testing::UnitTest::GetInstance()->current_test_info()->name();
    run_dir_ = place.run_dir();
    fs::create_directories(bpffs_);
    dataplane_.emplace(must(EbpfDataplane::open(bpffs_, run_dir_, {.max_flows = 4096})));
    fs::create_directories(other() / "maps");
    fs::create_directories(other() / "progs");
  }
  void TearDown() override {
    if (may_run_bpf()) fs::remove_all(bpffs_);
  }

  UniqueFd add_map(bpf_map_type type, const char* name, std::size_t key, std::size_t value) const {
    UniqueFd map(bpf_map_create(type, name, static_cast<__u32>(key), static_cast<__u32>(value),
                                KUBECNI_MAX_EXIT_REASONS, nullptr));
    EXPECT_EQ(bpf_obj_pin(map.get(), (other() / "maps" / name).c_str()), 0);
    return map;
  }
  [[nodiscard]] fs::path other() const { return bpffs_ / "v2"; }

  fs::path bpffs_;
  fs::path run_dir_;
  std::optional<EbpfDataplane> dataplane_;
};

TEST_F(OtherSchema, FlowsOfTheSameLayoutAreCarriedOverAndOursKept) {
  const UniqueFd from =
      add_map(BPF_MAP_TYPE_LRU_HASH, "flows4", sizeof(kubecni_flow4), sizeof(kubecni_flow_state));
  const UniqueFd wider = add_map(BPF_MAP_TYPE_LRU_HASH, "flows6", sizeof(kubecni_flow6),
                                 sizeof(kubecni_flow_state) + 8);
  const kubecni_flow4 theirs{.proto = 6}, both{.proto = 17};
  const kubecni_flow6 lost{.proto = 6};
  const kubecni_flow_state kernel{.decided_ns = 7, .owner = KUBECNI_FLOW_KERNEL};
  const kubecni_flow_state ebpf{.decided_ns = 8, .owner = KUBECNI_FLOW_EBPF};
  const std::vector<char> wide(sizeof(kubecni_flow_state) + 8);
  bpf_map_update_elem(from.get(), &theirs, &kernel, BPF_ANY);
  bpf_map_update_elem(from.get(), &both, &kernel, BPF_ANY);
  bpf_map_update_elem(wider.get(), &lost, wide.data(), BPF_ANY);
  auto flows = must(Flows4::open(PinPaths(bpffs_).maps / "flows4"));
  must(flows.set(both, ebpf));

  must(carry_over_flows(bpffs_));
  must(carry_over_flows(bpffs_));

  EXPECT_EQ(must(flows.find(theirs)).value().owner, KUBECNI_FLOW_KERNEL);
  EXPECT_EQ(must(flows.find(both)).value().owner, KUBECNI_FLOW_EBPF);
  EXPECT_THAT(must(must(Flows6::open(PinPaths(bpffs_).maps / "flows6")).entries()), IsEmpty());
}

TEST_F(OtherSchema, CountsAreAddedOnceAndThePinsGo) {
  const UniqueFd from =
      add_map(BPF_MAP_TYPE_PERCPU_ARRAY, "exit_counts", sizeof(__u32), sizeof(kubecni_count));
  std::vector<kubecni_count> counts(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  counts.front() = {.packets = 3, .bytes = 300};
  const __u32 reason = KUBECNI_PASS_ARP;
  ASSERT_EQ(bpf_map_update_elem(from.get(), &reason, counts.data(), BPF_ANY), 0);
  EXPECT_THAT(must(other_schemas(bpffs_)), ElementsAre(other()));

  must(remove_other_schemas(bpffs_, run_dir_));
  must(remove_other_schemas(bpffs_, run_dir_));

  EXPECT_EQ(must(read_exit_counts(bpffs_))[KUBECNI_PASS_ARP].packets, 3u);
  EXPECT_EQ(must(read_exit_counts(bpffs_))[KUBECNI_PASS_ARP].bytes, 300u);
  EXPECT_FALSE(fs::exists(other()));
  EXPECT_TRUE(EbpfDataplane::open_loaded(bpffs_));
}

TEST_F(OtherSchema, AddressesAreErasedFromItsEndpointsWhateverTheirValuesAre) {
  const UniqueFd wider = add_map(BPF_MAP_TYPE_HASH, "endpoints4", sizeof(kubecni_endpoint4_key),
                                 sizeof(kubecni_endpoint) + 8);
  const UniqueFd strange = add_map(BPF_MAP_TYPE_HASH, "endpoints6", 4, 4);
  const IpAddr v4 = IpAddr::parse("192.0.2.10").value();
  const IpAddr v6 = IpAddr::parse("2001:db8::10").value();
  const auto key = EndpointKeys::key4({7, v4});
  const auto key_on_another_bridge = EndpointKeys::key4({8, v4});
  const std::vector<char> value(sizeof(kubecni_endpoint) + 8);
  for (const auto& one : {key, key_on_another_bridge})
    ASSERT_EQ(bpf_map_update_elem(wider.get(), &one, value.data(), BPF_ANY), 0);

  must(erase_from_other_schemas(bpffs_, 7, {v4, v6}));
  must(erase_from_other_schemas(bpffs_, 7, {v4, v6}));

  std::vector<char> found(value.size());
  EXPECT_NE(bpf_map_lookup_elem(wider.get(), &key, found.data()), 0);
  EXPECT_EQ(bpf_map_lookup_elem(wider.get(), &key_on_another_bridge, found.data()), 0);
}

TEST_F(OtherSchema, FolderWithoutPinsIsNone) {
  fs::create_directory(bpffs_ / "v1");

  EXPECT_THAT(must(other_schemas(bpffs_)), ElementsAre(other()));
}

TEST_F(OtherSchema, ADeviceIsKeptByItWhileItRunsProgramsThatAreNotOurs) {
  const Device host = add_device("pod_s");
  EXPECT_FALSE(must(is_kept_by_other_schema(bpffs_, host))) << "nothing is attached";
  must(dataplane_->pods.attach(host));
  EXPECT_FALSE(must(is_kept_by_other_schema(bpffs_, host))) << "ours are attached";

  const BpfObject others = must(load_programs_without_conntrack(PinPaths(bpffs_).maps));
  const auto* other_from_pod = bpf_object__find_program_by_name(others.get(), kFromPod.name);
  must(attach(PinPaths(bpffs_).links, kFromPod, host, bpf_program__fd(other_from_pod)));
  EXPECT_TRUE(must(is_kept_by_other_schema(bpffs_, host)));

  must(remove_other_schemas(bpffs_, run_dir_));
  EXPECT_FALSE(must(is_kept_by_other_schema(bpffs_, host)));
  EXPECT_TRUE(must(runs_other_programs(bpffs_, host)));
  remove_device(host);
}

TEST_F(OtherSchema, EntriesOfInterfacesThatAreGoneAreRemoved) {
  auto& table = dataplane_->pods.endpoints;
  const Device host = add_device("pod_s");
  const IpAddr address = IpAddr::parse("192.0.2.10").value();
  must(table.add({.host = host, .network = 7, .addresses = {address}}));
  must(table.add({.host = {1000, "gone"}, .network = 7, .addresses = {address.plus(1)}}));
  must(table.endpoints().set({7, address.plus(2)}, {.host_ifindex = 1001}));

  EXPECT_EQ(must(table.remove_gone({})), 2u);
  EXPECT_EQ(must(table.remove_gone({host.ifindex})), 0u);

  EXPECT_THAT(must(table.endpoints().entries()), SizeIs(1));
  EXPECT_THAT(must(table.pod_ifaces().entries()), SizeIs(1));
  remove_device(host);
}

}  // namespace
}  // namespace kubecni::test
