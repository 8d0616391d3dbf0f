#include "state/port_mapping.hpp"

#include "support/ip.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>

namespace kubecni::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

const std::vector<IpAddr> kPod{addr("10.200.0.2"), addr("10.201.0.2"), addr("fd00::2")};

PortMapping mapping(const char* host_ip = nullptr) {
  PortMapping mapping{
      .protocol = PortProtocol::kTcp, .host_port = 8080, .pod_port = 80, .host_ip = {}};
  if (host_ip) mapping.host_ip = addr(host_ip);
  return mapping;
}

HostPort host_port(int family, const char* host_ip = nullptr) {
  HostPort port{.family = family, .host_ip = {}, .protocol = PortProtocol::kTcp, .port = 8080};
  if (host_ip) port.host_ip = addr(host_ip);
  return port;
}

TEST(PortProtocol, IsFoundByItsNameInAnyLetterCase) {
  EXPECT_EQ(protocol_of("tcp"), PortProtocol::kTcp);
  EXPECT_EQ(protocol_of("UDP"), PortProtocol::kUdp);
  EXPECT_EQ(protocol_of("Sctp"), PortProtocol::kSctp);
  EXPECT_EQ(protocol_of("icmp"), std::nullopt);
  EXPECT_EQ(protocol_of(""), std::nullopt);
  for (const auto each : {PortProtocol::kTcp, PortProtocol::kUdp, PortProtocol::kSctp})
    EXPECT_EQ(protocol_of(name_of(each)), each);
}

TEST(HostPorts, WithoutAnAddressAreThoseOfBothFamilies) {
  EXPECT_THAT(plan_host_ports({mapping()}, kPod),
              ElementsAre(Pair(host_port(AF_INET), PodSocket{addr("10.200.0.2"), 80}),
                          Pair(host_port(AF_INET6), PodSocket{addr("fd00::2"), 80})));
}

TEST(HostPorts, OfAnAddressAreOfItsFamilyAlone) {
  EXPECT_THAT(
      plan_host_ports({mapping("192.0.2.1")}, kPod),
      ElementsAre(Pair(host_port(AF_INET, "192.0.2.1"), PodSocket{addr("10.200.0.2"), 80})));
  EXPECT_THAT(
      plan_host_ports({mapping("2001:db8::1")}, kPod),
      ElementsAre(Pair(host_port(AF_INET6, "2001:db8::1"), PodSocket{addr("fd00::2"), 80})));
}

TEST(HostPorts, OfAnUnspecifiedAddressAreAllOfItsFamily) {
  EXPECT_THAT(host_ports_of({mapping("0.0.0.0")}), ElementsAre(host_port(AF_INET)));
  EXPECT_THAT(host_ports_of({mapping("::")}), ElementsAre(host_port(AF_INET6)));
}

TEST(HostPorts, OfAFamilyThatThePodHasNotAreNone) {
  EXPECT_THAT(plan_host_ports({mapping("2001:db8::1")}, {addr("10.200.0.2")}), IsEmpty());
  EXPECT_THAT(plan_host_ports({mapping()}, {}), IsEmpty());
}

TEST(HostPorts, SayWhatTheyAre) {
  EXPECT_EQ(host_port(AF_INET).str(), "tcp port 8080");
  EXPECT_EQ(host_port(AF_INET6).str(), "tcp port 8080 (IPv6)");
  EXPECT_EQ(host_port(AF_INET, "192.0.2.1").str(), "tcp port 8080 of 192.0.2.1");
  EXPECT_EQ((PodSocket{addr("10.200.0.2"), 80}.str()), "10.200.0.2:80");
  EXPECT_EQ((PodSocket{addr("fd00::2"), 80}.str()), "[fd00::2]:80");
}

}  // namespace
}  // namespace kubecni::test
