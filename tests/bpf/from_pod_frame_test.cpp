// from_pod and frames that are neither plain IP nor ARP.
#include "fixture.hpp"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <chrono>

namespace kubecni::test {
namespace {

// linux/if_ether.h has no name for 0x9200.
constexpr std::uint16_t kTagTypes[] = {ETH_P_8021Q, ETH_P_8021AD, ETH_P_QINQ1, 0x9200};

class FromPodFrame : public BpfTest {
 protected:
  /// Frames that a tag could hide: of each ethertype an honest and a spoofed one.
  static std::vector<Frame> frames() {
    return {frame_at(kFromPod, {}),
            frame_at(kFromPod, {.src = kPodB}),
            frame_at(kFromPod, {.family = AF_INET6}),
            arp_packet({.src_mac = kPodAMac, .sender_mac = kPodAMac, .sender_ip = kPodB}),
            nd_message({.src_mac = kPodAMac, .src = kPodALinkLocal, .type = 134}),
            ethernet_frame(kGatewayMac, kPodAMac, ETH_P_LLDP, 60)};
  }
};

TEST_F(FromPodFrame, AnyTagIsDroppedWhateverIsBehindIt) {
  for (const Frame& frame : frames())
    for (const std::uint16_t outer : kTagTypes)
      for (const std::uint16_t inner : kTagTypes)
        for (const auto vid : std::initializer_list<std::uint16_t>{0, 1, 4095}) {
          const std::uint16_t both[] = {outer, inner};
          EXPECT_THAT(run(kFromPod, with_tags(frame, std::span(both).first(1), vid)),
                      Dropped(KUBECNI_DROP_TAGGED))
              << outer;
          EXPECT_THAT(run(kFromPod, with_tags(frame, both, vid)), Dropped(KUBECNI_DROP_TAGGED))
              << outer << ' ' << inner;
        }
}

TEST_F(FromPodFrame, TagOfAnUnknownPodIsDroppedToo) {
  empty_the_maps();

  EXPECT_THAT(run(kFromPod, with_tags(frame_at(kFromPod, {}), std::span(kTagTypes).first(1), 0)),
              Dropped(KUBECNI_DROP_TAGGED));
}

TEST_F(FromPodFrame, TagThatTheKernelTookOutOfTheFrameIsDropped) {
  const Device pod = add_device("tagging", MacAddr::parse(kNicMac).value());
  must(dataplane().pods.attach(pod));
  const UniqueFd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(::if_nametoindex("tagging_peer"));
  const auto before = exit_counts()[KUBECNI_DROP_TAGGED].packets;
  std::uint64_t sent = 0;

  for (const auto outer : std::initializer_list<std::uint16_t>{ETH_P_8021Q, ETH_P_8021AD})
    for (const auto vid : std::initializer_list<std::uint16_t>{0, 7}) {
      const std::uint16_t both[] = {outer, ETH_P_8021Q};
      for (const auto tags : std::initializer_list<std::size_t>{1, 2}) {
        const Frame frame = with_tags(frames().front(), std::span(both).first(tags), vid);
        ASSERT_EQ(::sendto(socket.get(), frame.data(), frame.size(), 0,
                           reinterpret_cast<const sockaddr*>(&to), sizeof(to)),
                  static_cast<ssize_t>(frame.size()));
        ++sent;
      }
    }

  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (exit_counts()[KUBECNI_DROP_TAGGED].packets - before < sent &&
         std::chrono::steady_clock::now() < end) {
  }
  EXPECT_EQ(exit_counts()[KUBECNI_DROP_TAGGED].packets - before, sent);
  remove_device(pod);
}

TEST_F(FromPodFrame, OtherEthertypesAreLeftToTheKernel) {
  for (const auto ethertype : std::initializer_list<std::uint16_t>{ETH_P_LLDP, ETH_P_MPLS_UC,
                                                                   ETH_P_RARP, ETH_P_PPP_SES, 64})
    EXPECT_THAT(run(kFromPod, ethernet_frame(kGatewayMac, kPodAMac, ethertype, 60)),
                LeftToKernel(KUBECNI_PASS_NOT_IP));
}

TEST_F(FromPodFrame, OtherEthertypesNeedThePodsMacToo) {
  const Frame lie = ethernet_frame(kGatewayMac, kPodBMac, ETH_P_MPLS_UC, 60);

  EXPECT_THAT(run(kFromPod, lie), Dropped(KUBECNI_DROP_SPOOFED_MAC));
  empty_the_maps();
  EXPECT_THAT(run(kFromPod, lie), LeftToKernel(KUBECNI_PASS_NOT_IP));
}

TEST_F(FromPodFrame, WhatBridgesSayToEachOtherIsDropped) {
  for (const char* dst_mac : {"01:80:c2:00:00:00", "01:80:c2:00:00:01", "01:80:c2:00:00:0e",
                              "01:80:c2:00:00:21", "01:00:0c:cc:cc:cd"}) {
    EXPECT_THAT(run(kFromPod, ethernet_frame(dst_mac, kPodAMac, 38, 60)),
                Dropped(KUBECNI_DROP_BRIDGE_CONTROL));
    EXPECT_THAT(run(kFromPod, frame_at(kFromPod, {.dst_mac = dst_mac})),
                Dropped(KUBECNI_DROP_BRIDGE_CONTROL));
  }
  EXPECT_THAT(run(kFromPod, ethernet_frame("01:80:c2:00:01:00", kPodAMac, 38, 60)),
              LeftToKernel(KUBECNI_PASS_NOT_IP));
}

}  // namespace
}  // namespace kubecni::test
