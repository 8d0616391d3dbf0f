// Networks are separate: two bridges may have pods with the same addresses and MACs, and pods of
// other nodes are only on the cluster's network.
#include "fixture.hpp"

#include <linux/pkt_cls.h>

namespace kubecni::test {
namespace {

constexpr unsigned kOtherNetwork = kNetwork + 1;

class Networks : public BothFamilies {
 protected:
  void SetUp() override {
    BothFamilies::SetUp();
    if (IsSkipped()) return;
    other_ = add_device("othernet");
  }
  void TearDown() override {
    if (other_.ifindex != 0) remove_device(other_);
  }

  /// A pod behind othernet, on the other network.
  void add_other_pod(const char* address, const char* pod_mac) {
    must(dataplane().pods.endpoints.add({.host = other_,
                                         .network = kOtherNetwork,
                                         .addresses = {IpAddr::parse(address).value()},
                                         .pod_mac = MacAddr::parse(pod_mac).value(),
                                         .gateway_mac = MacAddr::parse(kGatewayMac).value()}));
  }
  Passage other_pod_sends(const IpPacket& packet) {
    return run(kFromPod, other_, frame_at(kFromPod, packet));
  }

  Device other_;
};

TEST_P(Networks, FrameWithMacAndAddressOfAPodOnAnotherBridgeIsNotDelivered) {
  add_other_pod(family().no_pod, kForeignMac);

  EXPECT_THAT(run(kFromPod, frame_at(kFromPod, {.dst_mac = kForeignMac, .dst = family().no_pod})),
              LeftToKernel(KUBECNI_PASS_NO_ENDPOINT));
  EXPECT_THAT(other_pod_sends({.dst_mac = kPodBMac,
                               .src_mac = kForeignMac,
                               .src = family().no_pod,
                               .dst = family().pod_b}),
              LeftToKernel(KUBECNI_PASS_NO_ENDPOINT));
}

TEST_P(Networks, SameAddressesOnTwoBridgesAreTwoPods) {
  add_other_pod(family().pod_a, kPodAMac);
  const Frame frame = frame_at(kFromPod, {.dst_mac = kPodBMac, .dst = family().pod_b});

  EXPECT_THAT(run(kFromPod, frame), Redirected(KUBECNI_FAST_TO_LOCAL_POD, frame));
  EXPECT_THAT(run(kFromPod, other_, frame), LeftToKernel(KUBECNI_PASS_NO_ENDPOINT))
      << "there is no such pod on that bridge";
}

TEST_P(Networks, AddressOfAPodOnAnotherBridgeIsALie) {
  add_other_pod(family().no_pod, kForeignMac);

  EXPECT_THAT(other_pod_sends({.src_mac = kForeignMac, .src = family().pod_a}),
              Dropped(KUBECNI_DROP_SPOOFED_IP));
  EXPECT_THAT(run(kFromPod, frame_at(kFromPod, {.src = family().no_pod})),
              Dropped(KUBECNI_DROP_SPOOFED_IP));
}

TEST_P(Networks, PodBesideTheClustersNetworkReachesOtherNodesByTheKernel) {
  add_other_pod(family().pod_a, kPodAMac);

  for (const char* dst : {family().remote_pod, family().tunnel_pod})
    EXPECT_THAT(other_pod_sends({.dst = dst}), LeftToKernel(KUBECNI_PASS_OTHER_NETWORK));
}

TEST_P(Networks, PodOfAnotherNodeReachesPodsOfTheClustersNetworkAlone) {
  const Frame to_a = frame_at(kFromWire, {});
  ASSERT_EQ(run(kFromWire, to_a).verdict, TC_ACT_REDIRECT);

  for (const unsigned network : {0u, kOtherNetwork}) {
    must(dataplane().node_config.set_cluster_network(network));
    EXPECT_THAT(run(kFromWire, to_a), LeftToKernel(KUBECNI_PASS_NO_ENDPOINT)) << network;
  }
}

TEST_P(Networks, WithoutAClusterNetworkNothingGoesToOtherNodesByEbpf) {
  must(dataplane().node_config.set_cluster_network(0));
  const Frame local = frame_at(kFromPod, {.dst_mac = kPodBMac, .dst = family().pod_b});

  EXPECT_THAT(run(kFromPod, frame_at(kFromPod, {})), LeftToKernel(KUBECNI_PASS_OTHER_NETWORK));
  EXPECT_THAT(run(kFromPod, local), Redirected(KUBECNI_FAST_TO_LOCAL_POD, local));
}

TEST_P(Networks, KernelPathOfAnotherNetworkIsNoTrafficOfTheClusters) {
  add_other_pod(family().no_pod, kForeignMac);
  const Frame leaving = frame_at(kToWire, {.src = family().no_pod, .protocol = IPPROTO_ICMP});

  EXPECT_THAT(run(kToWire, leaving), LeftToKernel(KUBECNI_KERNEL_TO_WIRE_OTHER));
  EXPECT_TRUE(flows().empty());
}

KUBECNI_FOR_BOTH_FAMILIES(Networks);

}  // namespace
}  // namespace kubecni::test
