// What a pod may say above IP to hosts that would believe it: ICMP errors about packets to it,
// reports of its groups, and nothing as a server or router.
#include "fixture.hpp"

#include <linux/if_ether.h>

#include <algorithm>

namespace kubecni::test {
namespace {

using Types = std::vector<std::uint8_t>;

class FromPodError : public BothFamilies {
 protected:
  static Types types() {
    return family().af == AF_INET6 ? Types{1, 2, 3, 4, 100, 127} : Types{3, 4, 5, 11, 12};
  }
  /// An error about a packet from `src` to `dst`; to the gateway, unless given otherwise.
  static IpPacket error(std::uint8_t type, const char* src, const std::string& dst,
                        std::size_t bytes = 512) {
    return {.protocol = IPPROTO_ICMP,
            .icmp_type = type,
            .icmp_body = error_about({.family = family().af, .src = src, .dst = dst}, bytes)};
  }
  Passage send(const IpPacket& packet) { return run(kFromPod, frame_at(kFromPod, packet)); }
};

TEST_P(FromPodError, AboutAPacketThatWasSentToThePodIsNotDropped) {
  for (const auto type : types())
    for (const char* dst : {family().remote_pod, family().pod_b, family().outside}) {
      IpPacket packet = error(type, dst, family().pod_a);
      packet.dst = dst;
      const Passage passage = send(packet);

      EXPECT_NE(passage.verdict, 2)
          << int{type} << ' ' << dst << ' ' << testing::PrintToString(passage.reason);
    }
}

TEST_P(FromPodError, AboutAPacketThatWasNotSentToThePodIsDroppedWhereverItGoes) {
  for (const auto type : types())
    for (const char* dst : {family().remote_pod, family().pod_b, family().outside})
      for (const char* quoted : {family().pod_b, family().remote_node, family().outside}) {
        IpPacket packet = error(type, dst, quoted);
        packet.dst = dst;

        EXPECT_THAT(send(packet), Dropped(KUBECNI_DROP_FOREIGN_ERROR))
            << int{type} << ' ' << dst << ' ' << quoted;
      }
}

TEST_P(FromPodError, AboutEachAddressOfThePodIsItsOwn) {
  const IpAddr first = IpAddr::parse(family().pod_a).value();
  const IpAddr second = first.plus(1);
  add_address(family().pod_a, second);

  EXPECT_THAT(send(error(types().front(), family().outside, second.str())),
              LeftToKernel(KUBECNI_PASS_PROTOCOL));
}

TEST_P(FromPodError, ThatQuotesTooLittleToTellIsDropped) {
  for (std::size_t bytes = 0; bytes < family().ip_header; ++bytes)
    EXPECT_THAT(send(error(types().front(), family().outside, family().pod_a, bytes)),
                Dropped(KUBECNI_DROP_FOREIGN_ERROR))
        << bytes;
}

TEST_P(FromPodError, BehindOptionsOrExtensionHeadersIsJudgedAlike) {
  IpPacket honest = error(types().front(), family().outside, family().pod_a);
  IpPacket lie = error(types().front(), family().outside, family().pod_b);
  for (IpPacket* packet : {&honest, &lie}) {
    packet->option_bytes = 40;
    packet->extension_headers = {IPPROTO_HOPOPTS, IPPROTO_DSTOPTS};
  }

  EXPECT_EQ(send(honest).verdict, -1);
  EXPECT_THAT(send(lie), Dropped(KUBECNI_DROP_FOREIGN_ERROR));
}

TEST_P(FromPodError, InAFragmentIsDroppedAndALaterFragmentIsNot) {
  IpPacket first = error(types().front(), family().outside, family().pod_a);
  first.more_fragments = true;
  first.extension_headers = {IPPROTO_FRAGMENT};
  IpPacket later = first;
  later.fragment_offset = 8;
  later.fragment_field = 8;

  EXPECT_THAT(send(first), Dropped(KUBECNI_DROP_FOREIGN_ERROR));
  EXPECT_EQ(send(later).verdict, -1);
}

TEST_P(FromPodError, OfAnUnknownPodIsLeftToTheKernel) {
  empty_the_maps();

  EXPECT_THAT(send(error(types().front(), family().outside, family().pod_b)),
              LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
}

KUBECNI_FOR_BOTH_FAMILIES(FromPodError);

class FromPodGroups : public BpfTest {
 protected:
  Passage send_igmp(std::uint8_t type, IpPacket packet = {}) {
    packet.dst_mac = "01:00:5e:00:00:01";
    packet.dst = "224.0.0.1";
    packet.protocol = IPPROTO_IGMP;
    packet.payload = Frame(8);
    packet.payload.front() = type;
    return run(kFromPod, frame_at(kFromPod, packet));
  }
  Passage send_mld(std::uint8_t type, const char* src, const Types& headers = {IPPROTO_HOPOPTS}) {
    return run(kFromPod, frame_at(kFromPod, {.family = AF_INET6,
                                             .dst_mac = "33:33:00:00:00:01",
                                             .src = src,
                                             .dst = "ff02::1",
                                             .protocol = IPPROTO_ICMP,
                                             .icmp_type = type,
                                             .icmp_body = Frame(20),
                                             .extension_headers = headers}));
  }
};

TEST_F(FromPodGroups, ReportsAreLeftToTheKernel) {
  for (const std::uint8_t type : Types{0x12, 0x16, 0x17, 0x22})
    for (const char* src : {"", "0.0.0.0"})
      EXPECT_EQ(send_igmp(type, {.src = src, .option_bytes = 4}).verdict, -1) << int{type};
  for (const std::uint8_t type : Types{131, 132, 143})
    for (const char* src : {"::", kPodALinkLocal, kIpv6.pod_a})
      EXPECT_EQ(send_mld(type, src).verdict, -1) << int{type} << ' ' << src;
}

TEST_F(FromPodGroups, WhatOnlyARouterSaysIsDropped) {
  for (const std::uint8_t type : Types{0x11, 0x30, 0x32})
    for (const auto option_bytes : std::initializer_list<std::size_t>{0, 4, 40})
      for (const bool more : {false, true})
        EXPECT_THAT(send_igmp(type, {.option_bytes = option_bytes, .more_fragments = more}),
                    Dropped(KUBECNI_DROP_MULTICAST_ROUTER))
            << int{type};
  for (const std::uint8_t type : Types{130, 151, 153})
    for (const Types& headers :
         {Types{}, Types{IPPROTO_HOPOPTS}, Types{IPPROTO_HOPOPTS, IPPROTO_FRAGMENT}})
      EXPECT_THAT(send_mld(type, kPodALinkLocal, headers), Dropped(KUBECNI_DROP_MULTICAST_ROUTER))
          << int{type};
  EXPECT_THAT(run(kFromPod, frame_at(kFromPod, {.dst_mac = "01:00:5e:00:00:0d",
                                                .dst = "224.0.0.13",
                                                .protocol = IPPROTO_PIM})),
              Dropped(KUBECNI_DROP_MULTICAST_ROUTER));
}

TEST_F(FromPodGroups, ReportInAFragmentIsDropped) {
  EXPECT_THAT(send_mld(143, kPodALinkLocal, {IPPROTO_HOPOPTS, IPPROTO_FRAGMENT}),
              Dropped(KUBECNI_DROP_HIDDEN_HEADER));
}

TEST_F(FromPodGroups, OnlyReportsComeWithoutASource) {
  for (const std::uint8_t type : Types{1, 128})
    EXPECT_THAT(send_mld(type, "::"), Dropped(KUBECNI_DROP_SPOOFED_IP)) << int{type};
  for (const auto protocol : {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ESP})
    EXPECT_THAT(run(kFromPod, frame_at(kFromPod, {.family = AF_INET6,
                                                  .src = "::",
                                                  .protocol = static_cast<std::uint8_t>(protocol),
                                                  .extension_headers = {IPPROTO_HOPOPTS}})),
                Dropped(KUBECNI_DROP_SPOOFED_IP));
}

TEST_F(FromPodGroups, WithoutASourceTheyAreForNobodyAlone) {
  EXPECT_THAT(run(kFromPod, frame_at(kFromPod, {.src = "0.0.0.0",
                                                .dst = kIpv4.pod_b,
                                                .protocol = IPPROTO_IGMP,
                                                .payload = {0x16, 0, 0, 0, 0, 0, 0, 0}})),
              Dropped(KUBECNI_DROP_SPOOFED_IP));
  EXPECT_THAT(run(kFromPod, frame_at(kFromPod, {.family = AF_INET6,
                                                .src = "::",
                                                .dst = kIpv6.pod_b,
                                                .protocol = IPPROTO_ICMP,
                                                .icmp_type = 143,
                                                .icmp_body = Frame(20),
                                                .extension_headers = {IPPROTO_HOPOPTS}})),
              Dropped(KUBECNI_DROP_SPOOFED_IP));
}

TEST_F(FromPodGroups, ReportNeedsThePodsMac) {
  EXPECT_THAT(send_igmp(0x16, {.src_mac = kPodBMac, .src = "0.0.0.0"}),
              Dropped(KUBECNI_DROP_SPOOFED_MAC));
}

class FromPodDhcp : public BothFamilies {
 protected:
  static std::uint16_t client() { return family().af == AF_INET6 ? 546 : 68; }
  static std::uint16_t server() { return family().af == AF_INET6 ? 547 : 67; }
  Passage send(const IpPacket& packet) { return run(kFromPod, frame_at(kFromPod, packet)); }
};

TEST_P(FromPodDhcp, ClientIsLeftToTheKernel) {
  const bool is_v6 = family().af == AF_INET6;
  EXPECT_EQ(send({.dst_mac = is_v6 ? "33:33:00:01:00:02" : "ff:ff:ff:ff:ff:ff",
                  .src = is_v6 ? kPodALinkLocal : "0.0.0.0",
                  .dst = is_v6 ? "ff02::1:2" : "255.255.255.255",
                  .src_port = client(),
                  .dst_port = server()})
                .verdict,
            -1);
}

TEST_F(FromPodGroups, ADhcpClientAsksNobodyAlone) {
  EXPECT_THAT(run(kFromPod,
                  frame_at(kFromPod,
                           {.src = "0.0.0.0", .dst = kIpv4.pod_b, .src_port = 68, .dst_port = 67})),
              Dropped(KUBECNI_DROP_SPOOFED_IP));
}

TEST_P(FromPodDhcp, ServerIsDroppedWhateverIsInFrontOfIt) {
  const IpPacket answer{.dst = family().pod_b, .src_port = server(), .dst_port = client()};
  IpPacket behind = answer;
  behind.option_bytes = 4;
  behind.extension_headers = {IPPROTO_DSTOPTS};
  IpPacket broadcast = answer;
  broadcast.dst_mac = "ff:ff:ff:ff:ff:ff";
  IpPacket first = answer;
  first.more_fragments = true;
  first.extension_headers = {IPPROTO_FRAGMENT};

  for (const IpPacket& packet : {answer, behind, broadcast, first})
    EXPECT_THAT(send(packet), Dropped(KUBECNI_DROP_DHCP_SERVER));
}

TEST_P(FromPodDhcp, LaterFragmentWithSuchBytesIsAccepted) {
  Frame payload{0, 67, 0, 68, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  IpPacket later{.protocol = IPPROTO_UDP, .extension_headers = {IPPROTO_FRAGMENT}};
  later.fragment_field = 8;
  later.fragment_offset = 8;
  Frame frame = frame_at(kFromPod, later);
  std::ranges::copy(payload, frame.end() - static_cast<std::ptrdiff_t>(payload.size()));

  EXPECT_EQ(run(kFromPod, frame).verdict, -1);
}

TEST_P(FromPodDhcp, ServerOfAnUnknownPodIsLeftToTheKernel) {
  empty_the_maps();

  EXPECT_THAT(send({.dst = family().pod_b, .src_port = server(), .dst_port = client()}),
              LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
}

KUBECNI_FOR_BOTH_FAMILIES(FromPodDhcp);

}  // namespace
}  // namespace kubecni::test
