// The tunnel device: made, corrected, and what is in its way.

#include "net/vxlan.hpp"

#include "link_pair.hpp"
#include "support/udp.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <sys/socket.h>

namespace kubecni::test {
namespace {

class Vxlan : public LinkPair {
 protected:
  Result<Link> ensure() {
    Result<Link> link = sys_error(ENODEV, "never asked");
    here.enter([&] {
      auto own = must(NetlinkSocket::open());
      link = ensure_vxlan(own, spec);
    });
    return link;
  }

  nlohmann::json described() const {
    return nlohmann::json::parse(ip("-j -d link show kcni.vxlan")).at(0);
  }

  bool exists() { return must(find_link(netlink, spec.name)).has_value(); }

  VxlanSpec spec{
      .name = "kcni.vxlan", .mac = {{0x0a, 0x58, 192, 0, 2, 1}}, .port = 8472, .mtu = 1430};
};

TEST_F(Vxlan, IsMadeUpAsTheSpecSays) {
  const auto link = ensure();

  ASSERT_TRUE(link) << link.error().what;
  EXPECT_EQ(link->mac, spec.mac);
  EXPECT_EQ(link->mtu, spec.mtu);
  EXPECT_TRUE(link->up);
  const auto device = described();
  const auto& data = device["linkinfo"]["info_data"];
  EXPECT_TRUE(data.value("external", false)) << data;
  EXPECT_EQ(data["port"], 8472);
  EXPECT_FALSE(data.value("learning", true)) << data;
  EXPECT_TRUE(data.value("udp_zero_csum6_rx", false)) << data;
  EXPECT_EQ(device["inet6_addr_gen_mode"], "none");
  EXPECT_EQ(Node::must_run_in(here, {"cat", "/proc/sys/net/ipv4/conf/kcni.vxlan/rp_filter"}),
            "2\n");
}

TEST_F(Vxlan, HasNoAddressThatIsValidElsewhere) {
  ASSERT_TRUE(ensure());

  EXPECT_EQ(ip("-6 addr show kcni.vxlan"), "");
  EXPECT_THAT(ip("addr show kcni.vxlan | grep inet"),
              testing::HasSubstr("inet 169.254.84.84/32 scope link"));
}

TEST_F(Vxlan, IsTheSameDeviceAtTheNextCall) {
  const auto first = ensure();
  ASSERT_TRUE(first);

  const auto second = ensure();

  ASSERT_TRUE(second);
  EXPECT_EQ(second->ifindex, first->ifindex);
}

TEST_F(Vxlan, IsCorrectedInPlace) {
  const auto first = ensure();
  ASSERT_TRUE(first);
  ip("link set kcni.vxlan down mtu 1300 address 02:00:00:00:00:01");
  spec.mtu = 1400;
  spec.mac.bytes[5] = 9;

  const auto second = ensure();

  ASSERT_TRUE(second);
  EXPECT_EQ(second->ifindex, first->ifindex);
  EXPECT_EQ(second->mac, spec.mac);
  EXPECT_EQ(second->mtu, 1400u);
  EXPECT_TRUE(second->up);
}

TEST_F(Vxlan, IsFinishedAfterACallThatWasKilledInTheMiddle) {
  ip("link add kcni.vxlan type vxlan external dstport 8472 nolearning"
     " udp6zerocsumtx udp6zerocsumrx");

  ASSERT_TRUE(ensure());

  EXPECT_EQ(described()["inet6_addr_gen_mode"], "none");
  EXPECT_EQ(ip("-6 addr show kcni.vxlan"), "");
}

TEST_F(Vxlan, IsRecreatedForAnotherPort) {
  const auto first = ensure();
  ASSERT_TRUE(first);
  spec.port = 4789;

  const auto second = ensure();

  ASSERT_TRUE(second) << second.error().what;
  EXPECT_NE(second->ifindex, first->ifindex);
  EXPECT_EQ(described()["linkinfo"]["info_data"]["port"], 4789);
}

TEST_F(Vxlan, LeavesAForeignDeviceOfItsNameAlone) {
  for (const char* kind : {"bridge", "vxlan id 7 dstport 8472"}) {
    ip(std::string("link add kcni.vxlan type ") + kind);

    const auto link = ensure();

    ASSERT_FALSE(link);
    EXPECT_EQ(link.error().code, EEXIST);
    EXPECT_THAT(link.error().what, testing::HasSubstr("ip link delete kcni.vxlan"));
    EXPECT_TRUE(exists());
    ip("link delete kcni.vxlan");
  }
}

TEST_F(Vxlan, SaysThatItsPortIsTakenAndLeavesNothing) {
  ip("link add one type vxlan external dstport 8472 udp6zerocsumtx udp6zerocsumrx");
  ip("link add two type vxlan id 7 dstport 8473 && ip link set two up");
  const UdpSocket program(here, AF_INET6, 8474);
  for (const auto& [port, holder] :
       {std::pair(8472u, "by device one;"), std::pair(8473u, "by device two;"),
        std::pair(8474u, "by a program (ss -lunp")}) {
    spec.port = static_cast<std::uint16_t>(port);

    const auto link = ensure();

    ASSERT_FALSE(link) << port;
    EXPECT_EQ(link.error().code, EADDRINUSE) << link.error().what;
    EXPECT_THAT(link.error().what, testing::HasSubstr("UDP port " + std::to_string(port) +
                                                      " is in use on this node, " + holder));
    EXPECT_FALSE(exists());
  }
}

TEST_F(Vxlan, SaysSoAlsoWhenItsOwnDeviceCannotComeUpAgain) {
  ASSERT_TRUE(ensure());
  ip("link set kcni.vxlan down");
  const UdpSocket program(here, AF_INET6, spec.port);

  const auto link = ensure();

  ASSERT_FALSE(link);
  EXPECT_EQ(link.error().code, EADDRINUSE) << link.error().what;
}

}  // namespace
}  // namespace kubecni::test
