// A pod's neighbour discovery goes by the bridge, if it is about the pod's own addresses, and not a
// router's.
#include "fixture.hpp"

#include <linux/if_ether.h>

namespace kubecni::test {
namespace {

constexpr std::uint8_t kRouterSolicitation = 133;
constexpr std::uint8_t kRouterAdvertisement = 134;
constexpr std::uint8_t kSolicitation = 135;
constexpr std::uint8_t kAdvertisement = 136;
constexpr std::uint8_t kRedirect = 137;
constexpr std::uint8_t kSourceMac = 1;
constexpr std::uint8_t kTargetMac = 2;
constexpr std::uint8_t kNonce = 14;

class FromPodNd : public BpfTest {
 protected:
  /// Sends the message as pod A, unless given otherwise.
  Passage send(NdMessage message) {
    if (message.src_mac.empty()) message.src_mac = kPodAMac;
    if (message.src.empty()) message.src = kIpv6.pod_a;
    if (message.target.empty())
      message.target = message.type == kAdvertisement ? kIpv6.pod_a : kIpv6.pod_b;
    return run(kFromPod, nd_message(message));
  }
};

TEST_F(FromPodNd, SolicitationsAndAdvertisementsOfThePodAreLeftToTheKernel) {
  for (const char* src : {kIpv6.pod_a, kPodALinkLocal}) {
    EXPECT_THAT(send({.src = src, .options = {{kSourceMac, kPodAMac}}}),
                LeftToKernel(KUBECNI_PASS_NEIGHBOUR_DISCOVERY));
    EXPECT_THAT(
        send({.src = src, .type = kRouterSolicitation, .options = {{kSourceMac, kPodAMac}}}),
        LeftToKernel(KUBECNI_PASS_NEIGHBOUR_DISCOVERY));
    for (const char* target : {kIpv6.pod_a, kPodALinkLocal})
      EXPECT_THAT(send({.src = src,
                        .type = kAdvertisement,
                        .target = target,
                        .options = {{kTargetMac, kPodAMac}}}),
                  LeftToKernel(KUBECNI_PASS_NEIGHBOUR_DISCOVERY));
  }
}

TEST_F(FromPodNd, DuplicateAddressDetectionIsAccepted) {
  EXPECT_THAT(send({.src = "::", .target = kIpv6.pod_a}),
              LeftToKernel(KUBECNI_PASS_NEIGHBOUR_DISCOVERY));
  EXPECT_THAT(send({.src = "::", .target = kPodALinkLocal, .options = {{kNonce, kForeignMac}}}),
              LeftToKernel(KUBECNI_PASS_NEIGHBOUR_DISCOVERY))
      << "RFC 7527: a nonce is not a MAC";
}

TEST_F(FromPodNd, EachAddressOfThePodMaySpeak) {
  const IpAddr first = IpAddr::parse(kIpv6.pod_a).value();
  add_address(kIpv6.pod_a, first.plus(1));

  EXPECT_THAT(
      send({.src = first.plus(1).str(), .type = kAdvertisement, .target = first.plus(1).str()}),
      LeftToKernel(KUBECNI_PASS_NEIGHBOUR_DISCOVERY));
}

TEST_F(FromPodNd, ForeignSourceAddressIsDropped) {
  for (const char* src : {kIpv6.pod_b, kPodBLinkLocal, "fe80::1", kIpv6.outside})
    for (const auto type : {kRouterSolicitation, kSolicitation, kAdvertisement})
      EXPECT_THAT(send({.src = src, .type = type}), Dropped(KUBECNI_DROP_SPOOFED_ND)) << src;
}

TEST_F(FromPodNd, AdvertisementOfAForeignAddressIsDropped) {
  for (const char* target : {kIpv6.pod_b, kPodBLinkLocal, "2001:db8:0:1::1", kIpv6.outside})
    EXPECT_THAT(
        send({.type = kAdvertisement, .target = target, .options = {{kTargetMac, kPodAMac}}}),
        Dropped(KUBECNI_DROP_SPOOFED_ND))
        << target;
}

TEST_F(FromPodNd, ForeignMacsAreDropped) {
  EXPECT_THAT(send({.src_mac = kPodBMac}), Dropped(KUBECNI_DROP_SPOOFED_ND));
  for (const auto type : {kRouterSolicitation, kSolicitation, kAdvertisement})
    for (const auto option : {kSourceMac, kTargetMac})
      EXPECT_THAT(send({.type = type, .options = {{option, kPodBMac}}}),
                  Dropped(KUBECNI_DROP_SPOOFED_ND));
}

TEST_F(FromPodNd, ForeignMacIsFoundBehindOtherOptions) {
  EXPECT_THAT(send({.options = {{kNonce, ""}, {kNonce, "", 3}, {kSourceMac, kPodBMac}}}),
              Dropped(KUBECNI_DROP_SPOOFED_ND));
  EXPECT_THAT(send({.options = {{kNonce, ""}, {kNonce, "", 3}, {kSourceMac, kPodAMac}}}),
              LeftToKernel(KUBECNI_PASS_NEIGHBOUR_DISCOVERY));
}

TEST_F(FromPodNd, OptionsThatCannotBeReadToTheirEndAreDropped) {
  EXPECT_THAT(send({.options = std::vector<NdOption>(9, {kNonce, ""})}),
              Dropped(KUBECNI_DROP_SPOOFED_ND))
      << "too many";
  EXPECT_THAT(send({.options = {{kNonce, "", 0}}}), Dropped(KUBECNI_DROP_SPOOFED_ND))
      << "of no length";
  EXPECT_THAT(send({.options = {{kSourceMac, kPodAMac, 2}}}), Dropped(KUBECNI_DROP_SPOOFED_ND))
      << "a MAC of another length";
}

TEST_F(FromPodNd, WhatOnlyARouterSaysIsDropped) {
  for (const char* src : {kIpv6.pod_a, kPodALinkLocal, "fe80::1"})
    for (const auto type : {kRouterAdvertisement, kRedirect})
      EXPECT_THAT(send({.src = src, .type = type}), Dropped(KUBECNI_DROP_ROUTER_ND)) << src;
}

TEST_F(FromPodNd, BehindExtensionHeadersItIsFoundAndDropped) {
  for (const auto header : std::initializer_list<std::uint8_t>{IPPROTO_HOPOPTS, IPPROTO_ROUTING,
                                                               IPPROTO_DSTOPTS, IPPROTO_AH}) {
    EXPECT_THAT(send({.src = kPodALinkLocal,
                      .type = kRouterAdvertisement,
                      .extension_headers = {IPPROTO_HOPOPTS, header}}),
                Dropped(KUBECNI_DROP_ROUTER_ND))
        << int{header};
    EXPECT_THAT(send({.extension_headers = {header}}), Dropped(KUBECNI_DROP_SPOOFED_ND))
        << int{header};
  }
  EXPECT_THAT(send({.type = kRouterAdvertisement,
                    .extension_headers = std::vector<std::uint8_t>(9, IPPROTO_DSTOPTS)}),
              Dropped(KUBECNI_DROP_HIDDEN_HEADER));
}

TEST_F(FromPodNd, InAFragmentItIsFoundAndDropped) {
  constexpr std::uint16_t kAtomic = 0;
  constexpr std::uint16_t kFirst = 1;
  const std::vector<std::vector<std::uint8_t>> chains{
      {IPPROTO_FRAGMENT}, {IPPROTO_HOPOPTS, IPPROTO_FRAGMENT}, {IPPROTO_FRAGMENT, IPPROTO_DSTOPTS}};
  for (const auto& chain : chains)
    for (const auto field : {kAtomic, kFirst}) {
      EXPECT_THAT(
          send({.type = kAdvertisement, .extension_headers = chain, .fragment_field = field}),
          Dropped(KUBECNI_DROP_SPOOFED_ND));
      EXPECT_THAT(
          send({.type = kRouterAdvertisement, .extension_headers = chain, .fragment_field = field}),
          Dropped(KUBECNI_DROP_ROUTER_ND));
    }
}

TEST_F(FromPodNd, EmptiedMapsDropNothing) {
  empty_the_maps();

  for (const auto type :
       {kRouterSolicitation, kRouterAdvertisement, kSolicitation, kAdvertisement, kRedirect})
    EXPECT_THAT(send({.src = kIpv6.pod_b, .type = type}),
                LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
  EXPECT_THAT(send({.extension_headers = {IPPROTO_DSTOPTS}}),
              LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
}

TEST_F(FromPodNd, MessageThatEndsEarlyIsDropped) {
  const Frame whole = nd_message({.src_mac = kPodAMac,
                                  .src = kIpv6.pod_a,
                                  .target = kIpv6.pod_b,
                                  .options = {{kSourceMac, kPodAMac}}});
  constexpr std::size_t kOptionsAt = ETH_HLEN + 40 + 24;
  const auto run_beginning = [&](std::size_t size) {
    return run(kFromPod, Frame(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
  };

  for (std::size_t size = ETH_HLEN + 41; size < kOptionsAt; ++size)
    EXPECT_THAT(run_beginning(size), Dropped(KUBECNI_DROP_SHORT_PACKET)) << size;
  EXPECT_THAT(run_beginning(kOptionsAt), LeftToKernel(KUBECNI_PASS_NEIGHBOUR_DISCOVERY));
  for (std::size_t size = kOptionsAt + 1; size < whole.size(); ++size)
    EXPECT_THAT(run_beginning(size), Dropped(KUBECNI_DROP_SPOOFED_ND)) << size;
}

/// IPv6 beside neighbour discovery.
class FromPodIpv6 : public BpfTest {
 protected:
  Passage send(IpPacket packet) {
    packet.family = AF_INET6;
    return run(kFromPod, frame_at(kFromPod, packet));
  }
};

TEST_F(FromPodIpv6, OwnLinkLocalAddressIsLeftToTheKernel) {
  for (const char* dst : {kPodBLinkLocal, kIpv6.pod_b, "ff02::16"})
    EXPECT_THAT(send({.src = kPodALinkLocal, .dst = dst}), LeftToKernel(KUBECNI_PASS_LINK_LOCAL));
}

TEST_F(FromPodIpv6, ForeignLinkLocalAddressIsDropped) {
  for (const char* src : {kPodBLinkLocal, "fe80::1", "fe80::1:200:5eff:fe00:530a"})
    EXPECT_THAT(send({.src = src}), Dropped(KUBECNI_DROP_SPOOFED_IP)) << src;
  EXPECT_THAT(send({.src_mac = kPodBMac, .src = kPodALinkLocal}),
              Dropped(KUBECNI_DROP_SPOOFED_MAC));
}

TEST_F(FromPodIpv6, ExtensionHeadersAreLeftToTheKernel) {
  for (const auto header :
       std::initializer_list<std::uint8_t>{IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT,
                                           IPPROTO_ESP, IPPROTO_AH, IPPROTO_DSTOPTS, IPPROTO_MH})
    EXPECT_THAT(send({.extension_headers = {header}}), LeftToKernel(KUBECNI_PASS_EXTENSION_HEADER))
        << int{header};
}

TEST_F(FromPodIpv6, LaterFragmentIsLeftToTheKernelSinceItsFirstDecides) {
  EXPECT_THAT(send({.extension_headers = {IPPROTO_FRAGMENT}, .fragment_field = 8}),
              LeftToKernel(KUBECNI_PASS_EXTENSION_HEADER));
}

TEST_F(FromPodIpv6, HeadersThatGoOnInTheNextFragmentAreDropped) {
  constexpr std::size_t kPayloadLengthAt = ETH_HLEN + 4;
  Frame frame = frame_at(kFromPod, {.family = AF_INET6,
                                    .protocol = IPPROTO_ICMP,
                                    .extension_headers = {IPPROTO_FRAGMENT, IPPROTO_DSTOPTS}});
  ASSERT_THAT(run(kFromPod, frame), LeftToKernel(KUBECNI_PASS_EXTENSION_HEADER));

  frame[kPayloadLengthAt + 1] = 16;  // the two headers; the rest is no part of the packet
  EXPECT_THAT(run(kFromPod, frame), Dropped(KUBECNI_DROP_HIDDEN_HEADER));
  frame[kPayloadLengthAt + 1] = 8;
  EXPECT_THAT(run(kFromPod, frame), Dropped(KUBECNI_DROP_HIDDEN_HEADER));
  frame.resize(ETH_HLEN + 40 + 8);
  EXPECT_THAT(run(kFromPod, frame), Dropped(KUBECNI_DROP_HIDDEN_HEADER));
}

TEST_F(FromPodIpv6, FragmentOfAFragmentIsDropped) {
  EXPECT_THAT(send({.extension_headers = {IPPROTO_FRAGMENT, IPPROTO_FRAGMENT}}),
              Dropped(KUBECNI_DROP_HIDDEN_HEADER));
}

TEST_F(FromPodIpv6, FragmentOfAJumbogramIsDropped) {
  Frame frame = frame_at(
      kFromPod, {.family = AF_INET6, .extension_headers = {IPPROTO_HOPOPTS, IPPROTO_FRAGMENT}});
  frame[ETH_HLEN + 4] = frame[ETH_HLEN + 5] = 0;  // no payload length

  EXPECT_THAT(run(kFromPod, frame), Dropped(KUBECNI_DROP_HIDDEN_HEADER));
}

}  // namespace
}  // namespace kubecni::test
