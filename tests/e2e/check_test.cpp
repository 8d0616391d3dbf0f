// CHECK names what was changed, and changes nothing itself.

#include "expect.hpp"
#include "support/node_state.hpp"

#include <filesystem>
#include <functional>

namespace kubecni::test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct Damage {
  const char* name;
  std::function<void(const Node&, const Pod&, const std::string& host_ifname)> apply;
  const char* phrase;

  friend void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.name; }
};

class Check : public testing::TestWithParam<Damage> {
 protected:
  /// What CHECK answers after the damage, and that it changes nothing.
  CniAnswer check_damaged() {
    const auto added = node.cni("ADD", pod);
    if (added.status != 0) throw std::runtime_error("ADD: " + added.msg());
    pod.address = node.attachment(pod).port.addresses.front().net.addr;
    const json with_result{{"prevResult", added.json}};
    EXPECT_TRUE(ok(node.cni("CHECK", pod, with_result)));

    GetParam().apply(node, pod, node.attachment(pod).port.host_ifname);
    const auto before = state_of(node, {&pod});
    auto checked = node.cni("CHECK", pod, with_result);
    EXPECT_EQ(state_of(node, {&pod}), before);
    return checked;
  }

  const Node node{"node", "10.200.0.0/24", "ebpf"};
  Pod pod{"pod"};
};

TEST_P(Check, Finds) { EXPECT_TRUE(failed(check_damaged(), 100, GetParam().phrase)); }

// CRI-O makes CHECK when it is restarted, and a pod that fails has no address in its view any more.
class CheckOfTheNode : public Check {};

TEST_P(CheckOfTheNode, OnlyWarns) {
  const auto checked = check_damaged();

  EXPECT_TRUE(ok(checked));
  EXPECT_THAT(checked.err, testing::HasSubstr(GetParam().phrase));
}

void in_pod(const Pod& pod, std::vector<std::string> argv) {
  Node::must_run_in(pod.netns, std::move(argv));
}

INSTANTIATE_TEST_SUITE_P(
    Each, Check,
    testing::Values(
        Damage{"PodLinkDown",
               [](auto&, auto& pod, auto&) { in_pod(pod, {"ip", "link", "set", "eth0", "down"}); },
               "eth0 in the pod is down"},
        Damage{"AddressRemoved",
               [](auto&, auto& pod, auto&) {
                 in_pod(pod, {"ip", "addr", "del", "10.200.0.2/24", "dev", "eth0"});
               },
               "lost its address 10.200.0.2/24"},
        Damage{"RouteRemoved",
               [](auto&, auto& pod, auto&) { in_pod(pod, {"ip", "route", "del", "default"}); },
               "lost its default route via 10.200.0.1"},
        Damage{"MtuChanged",
               [](auto&, auto& pod, auto&) {
                 in_pod(pod, {"ip", "link", "set", "eth0", "mtu", "1400"});
               },
               "MTU 1400 instead of 1500"},
        Damage{"MacChanged",
               [](auto&, auto& pod, auto&) {
                 in_pod(pod, {"ip", "link", "set", "eth0", "address", "02:00:00:00:00:99"});
               },
               "MAC 02:00:00:00:00:99 instead of"},
        Damage{"PodLinkRenamed",
               [](auto&, auto& pod, auto&) {
                 in_pod(pod, {"ip", "link", "set", "eth0", "down", "name", "eth9"});
               },
               "eth0 in the pod is missing"},
        Damage{"HostEndOutOfTheBridge",
               [](auto& node, auto&, auto& host) {
                 node.must_run({"ip", "link", "set", host, "nomaster"});
               },
               "is not a port of bridge cni0"},
        Damage{"HostEndDown",
               [](auto& node, auto&, auto& host) {
                 node.must_run({"ip", "link", "set", host, "down"});
               },
               "is down"},
        Damage{"PortSettingsLost",
               [](auto& node, auto&, auto& host) {
                 node.must_run({"bridge", "link", "set", "dev", host, "hairpin", "off"});
               },
               "lost its settings"},
        Damage{"FdbEntryGone",
               [](auto& node, auto& pod, auto& host) {
                 node.must_run({"bridge", "fdb", "del", MacAddr::derived_from(pod.address).str(),
                                "dev", host, "master"});
               },
               "lost its FDB entry"},
        Damage{"NeighbourGone",
               [](auto& node, auto&, auto&) {
                 node.must_run({"ip", "neigh", "del", "10.200.0.2", "dev", "cni0"});
               },
               "lost its neighbour 10.200.0.2"},
        Damage{"LinkGone",
               [](auto& node, auto&, auto& host) { node.must_run({"ip", "link", "del", host}); },
               "is missing"},
        Damage{"FromPodDetached",
               [](auto& node, auto&, auto& host) {
                 fs::remove(PinPaths(node.bpffs()).links / (host + "_from_pod"));
               },
               "program from_pod is not attached"},
        Damage{"ToPodDetached",
               [](auto& node, auto&, auto& host) {
                 fs::remove(PinPaths(node.bpffs()).links / (host + "_to_pod"));
               },
               "program to_pod is not attached"},
        Damage{"EndpointGone",
               [](auto& node, auto& pod, auto&) {
                 must(node.dataplane().pods.endpoints.endpoints().erase(node.endpoint_key(pod)));
               },
               "endpoints4 has no entry for 10.200.0.2"},
        Damage{
            "EndpointNotReady",
            [](auto& node, auto& pod, auto&) {
              auto dataplane = node.dataplane();
              auto endpoint =
                  must(dataplane.pods.endpoints.endpoints().find(node.endpoint_key(pod))).value();
              endpoint.flags = 0;
              must(dataplane.pods.endpoints.endpoints().set(node.endpoint_key(pod), endpoint));
            },
            "10.200.0.2 is not READY"},
        Damage{
            "PodIfaceGone",
            [](auto& node, auto& pod, auto&) {
              auto dataplane = node.dataplane();
              const auto endpoint =
                  must(dataplane.pods.endpoints.endpoints().find(node.endpoint_key(pod))).value();
              must(dataplane.pods.endpoints.pod_ifaces().erase(endpoint.host_ifindex));
            },
            "pod_ifaces has no entry"},
        Damage{"LeaseGone",
               [](auto& node, auto&, auto&) { fs::remove_all(node.state_dir() / "ipam"); },
               "the lease of 10.200.0.2/24 is gone"}),
    [](const auto& tested) { return tested.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Each, CheckOfTheNode,
    testing::Values(
        Damage{"BridgeGone",
               [](auto& node, auto&, auto&) { node.must_run({"ip", "link", "del", "cni0"}); },
               "bridge cni0 is missing"},
        Damage{
            "BridgeDown",
            [](auto& node, auto&, auto&) { node.must_run({"ip", "link", "set", "cni0", "down"}); },
            "bridge cni0 is down"},
        Damage{
            "ForwardingOff",
            [](auto& node, auto&, auto&) { node.set_sysctl("net/ipv4/conf/cni0/forwarding", "0"); },
            "net/ipv4/conf/cni0/forwarding=0"},
        Damage{"GatewayAddressGone",
               [](auto& node, auto&, auto&) {
                 node.must_run({"ip", "addr", "del", "10.200.0.1/24", "dev", "cni0"});
               },
               "lost its address 10.200.0.1/24"},
        Damage{"FdbFlushed",
               [](auto& node, auto&, auto&) {
                 node.must_run({"bridge", "fdb", "flush", "dev", "cni0"});
               },
               "lost the FDB entry of its own MAC"},
        Damage{"BridgeMacChanged",
               [](auto& node, auto&, auto&) {
                 node.must_run({"ip", "link", "set", "cni0", "address", "02:00:00:00:00:99"});
               },
               "the pod knows it as"},
        Damage{"PinsGone", [](auto& node, auto&, auto&) { fs::remove_all(node.bpffs()); },
               "eBPF dataplane"},
        Damage{"PinsMadeAnewByStatus",
               [](auto& node, auto& pod, auto&) {
                 fs::remove_all(node.bpffs());
                 EXPECT_TRUE(ok(node.cni("STATUS", pod)));
               },
               "is not attached"}),
    [](const auto& tested) { return tested.param.name; });

class CheckInput : public testing::Test {
 protected:
  Node node{"node", "10.200.0.0/24", "ebpf"};
  Pod pod{"pod"};
  json result = node.cni("ADD", pod).json;
};

TEST_F(CheckInput, WithoutPrevResultFails) {
  EXPECT_TRUE(failed(node.cni("CHECK", pod), 7, "prevResult"));
}

TEST_F(CheckInput, WithAnotherAddressInPrevResultFails) {
  result["ips"][0]["address"] = "10.200.0.9/24";

  EXPECT_TRUE(failed(node.cni("CHECK", pod, {{"prevResult", result}}), 100,
                     "prevResult has no address 10.200.0.2/24"));
}

TEST_F(CheckInput, WithPinsMadeAnewByAnAddSucceeds) {
  fs::remove_all(node.bpffs());
  const Pod other("other");
  ASSERT_TRUE(ok(node.cni("ADD", other)));

  EXPECT_TRUE(ok(node.cni("CHECK", pod, {{"prevResult", result}})));
}

TEST_F(CheckInput, OfAnUnknownContainerFails) {
  const Pod other("other");

  EXPECT_TRUE(failed(node.cni("CHECK", other, {{"prevResult", result}}), 3, "other"));
}

}  // namespace
}  // namespace kubecni::test
