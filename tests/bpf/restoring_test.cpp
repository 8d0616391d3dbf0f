// Another process takes entries away and brings them back while packets are judged, as the daemon
// does with emptied maps. A packet of an honest sender is dropped at no moment of that.
#include "fixture.hpp"
#include "meanwhile.hpp"
#include "support/ip.hpp"

#include <functional>
#include <string>

namespace kubecni::test {
namespace {

// A verdict that comes from two readings drops hundreds of packets in so many turns.
constexpr unsigned kTurns = 5000;
constexpr unsigned kPacketsAtOnce = 500;
constexpr const char* kSecondAddress = "192.0.2.110";
constexpr const char* kThirdMac = "00:00:5e:00:53:0c";

class Restoring : public BpfTest {
 protected:
  void SetUp() override {
    BpfTest::SetUp();
    if (IsSkipped()) return;
    pod_ = {.host = pod_a(),
            .network = kNetwork,
            .addresses = {addr(kIpv4.pod_a), addr(kIpv6.pod_a), addr(kSecondAddress)},
            .pod_mac = MacAddr::parse(kPodAMac).value(),
            .gateway_mac = MacAddr::parse(kGatewayMac).value()};
    must(table().add(pod_));
  }

  static EndpointTable& table() { return dataplane().pods.endpoints; }

  /// Packets that were dropped while `change` ran, by reason.
  std::string dropped_meanwhile(const Program& hook, const std::vector<Frame>& frames,
                                std::function<void()> change) {
    const ExitCounts before = exit_counts();
    {
      const Meanwhile meanwhile(kTurns, std::move(change));
      for (std::size_t i = 0; !meanwhile.is_done(); ++i)
        run_many(hook, frames[i % frames.size()], kPacketsAtOnce);
    }
    return drops(before, exit_counts());
  }

  /// What a pod may send, of each kind that is judged in its own way.
  static std::vector<Frame> honest_frames() {
    return {frame_at(kFromPod, {}),
            frame_at(kFromPod, {.family = AF_INET6}),
            frame_at(kFromPod, {.src = kSecondAddress}),
            frame_at(kFromPod, {.protocol = IPPROTO_ICMP}),
            arp_packet({.src_mac = kPodAMac, .sender_mac = kPodAMac, .sender_ip = kPodA}),
            arp_packet({.src_mac = kPodAMac, .sender_mac = kPodAMac, .sender_ip = kSecondAddress}),
            nd_message({.src_mac = kPodAMac,
                        .src = kIpv6.pod_a,
                        .type = 136,
                        .target = kIpv6.pod_a,
                        .options = {{2, kPodAMac}}})};
  }

  PodEndpoint pod_;
};

TEST_F(Restoring, AnEndpointThatComesAndGoesIsNoSpoofing) {
  const EndpointKey key{kNetwork, addr(kPodA)};
  const auto endpoint = must(table().endpoints().find(key)).value();

  EXPECT_EQ(dropped_meanwhile(kFromPod, honest_frames(),
                              [&] {
                                must(table().endpoints().erase(key));
                                must(table().endpoints().set(key, endpoint));
                              }),
            "");
}

TEST_F(Restoring, APodThatIsAddedAndRemovedIsNoSpoofer) {
  EXPECT_EQ(dropped_meanwhile(kFromPod, honest_frames(),
                              [&] {
                                must(table().remove(pod_.host.ifindex, pod_.addresses));
                                must(table().add(pod_));
                              }),
            "");
}

TEST_F(Restoring, APodWhoseEntriesAreUsedAgainForAnotherIsNoSpoofer) {
  PodEndpoint other = pod_;
  other.host = nic();
  other.addresses = {addr("192.0.2.111")};
  other.pod_mac = MacAddr::parse(kThirdMac).value();

  EXPECT_EQ(dropped_meanwhile(kFromPod, honest_frames(),
                              [&] {
                                must(table().remove(pod_.host.ifindex, pod_.addresses));
                                must(table().add(other));
                                must(table().remove(other.host.ifindex, other.addresses));
                                must(table().add(pod_));
                              }),
            "");
}

}  // namespace
}  // namespace kubecni::test
