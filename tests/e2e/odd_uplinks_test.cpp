// Nodes that reach each other by other devices than a plain NIC that has the InternalIP.

#include "devices.hpp"
#include "paths.hpp"
#include "support/traffic.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stop_token>
#include <system_error>
#include <thread>

namespace kubecni::test {
namespace {

UniqueFd open_tun(const NetNs& netns) {
  UniqueFd fd;
  netns.enter([&] {
    fd = UniqueFd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    ifreq request{};
    std::strcpy(request.ifr_name, "tun0");
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (!fd || ::ioctl(fd.get(), TUNSETIFF, &request) != 0)
      throw std::system_error(errno, std::generic_category(), "make tun0");
  });
  return fd;
}

/// A cable between two nodes with a device `tun0` at each end.
class TunCable {
 public:
  TunCable(const NetNs& one, const NetNs& other) : ends_{open_tun(one), open_tun(other)} {}

 private:
  void carry(const std::stop_token& stop) {
    constexpr int kStopCheckMs = 50;
    std::array<char, 65536> packet;
    std::array<pollfd, 2> ends{{{ends_[0].get(), POLLIN, 0}, {ends_[1].get(), POLLIN, 0}}};
    while (!stop.stop_requested()) {
      ::poll(ends.data(), ends.size(), kStopCheckMs);
      for (const std::size_t from : {0U, 1U}) {
        const ssize_t size = ::read(ends[from].fd, packet.data(), packet.size());
        if (size > 0)  // a full queue loses it, as a wire does
          (void)!::write(ends[1 - from].fd, packet.data(), static_cast<std::size_t>(size));
      }
    }
  }

  std::array<UniqueFd, 2> ends_;
  std::jthread carrier_{[this](const std::stop_token& stop) { carry(stop); }};
};

/// Two nodes whose InternalIPs are not those of their NICs.
class OddUplinks : public testing::TestWithParam<std::string /*routing*/> {
 protected:
  /// Whether an exchange of datagrams between the pods uses eBPF in both directions.
  [[nodiscard]] bool is_reached(int family, bool by_ebpf) const {
    const PathReasons path = path_reasons(GetParam() == "vxlan");
    const ExitCounts before = cluster.a.counters();
    if (!udp_echo(cluster.pod_a->netns, cluster.pod_b->netns, address(family))) return false;
    const ExitCounts after = cluster.a.counters();
    return (grown(before, after, path.fast_out) >= 5) == by_ebpf &&
           (grown(before, after, path.fast_in) >= 5) == by_ebpf;
  }

  void expect_reached(bool by_ebpf) const {
    for (const int family : {AF_INET, AF_INET6}) {
      ASSERT_TRUE(eventually([&] { return is_reached(family, by_ebpf); }, kPatience))
          << family << cluster.daemon_a->err();
      EXPECT_TRUE(ok(tcp_transfer(cluster.pod_a->netns, cluster.pod_b->netns, address(family))));
      EXPECT_TRUE(is_reached(family, by_ebpf));
      EXPECT_TRUE(answers(cluster.a.netns, address(family)));
      EXPECT_TRUE(answers(cluster.pod_b->netns, cluster.member(0).address_of(family)));
    }
  }

  static bool answers(const NetNs& from, const IpAddr& to) {
    return eventually([&] { return ping(from, to).has_value(); }, kPatience);
  }

  [[nodiscard]] IpAddr address(int family) const { return cluster.pod_b->address_of(family); }

  /// Runs the script on both nodes. "OWN" and "PEER" in it are their numbers, 1 and 2.
  void on_both(const std::string& script) const {
    for (const std::size_t index : {0U, 1U})
      cluster.member(index).node.must_run({"sh", "-ec",
                                           "OWN=" + std::to_string(index + 1) + " PEER=" +
                                               std::to_string(2 - index) + "\n" + script});
  }

  /// The InternalIPs are those that the nodes get on this device.
  void lead_by(const std::string& device) {
    on_both("ip addr add 10.9.0.$OWN/24 dev " + device + "; ip link set " + device +
            " up; ip addr add fd00:9::$OWN/64 dev " + device + " nodad");
    std::vector<nlohmann::json> nodes;
    for (const std::size_t index : {0U, 1U}) {
      Cluster::Member& member = cluster.member(index);
      const std::string v4 = "10.9.0." + std::to_string(index + 1);
      const std::string v6 = "fd00:9::" + std::to_string(index + 1);
      member.addresses = {addr(v4), addr(v6)};
      nodes.push_back(make_node(member.node.name(), {v4, v6}, member.cidrs));
    }
    cluster.write_nodes(nodes);
  }

  Cluster cluster{{.families = Families::kDual, .routing = {GetParam()}, .patience = kPatience}};
};

TEST_P(OddUplinks, LeadFromLoopbackToLoopbackAndGoWithoutEthernetHeaders) {
  // As where nodes tell routers by BGP where their address is.
  on_both(
      "ip addr flush dev eth0 scope global;"
      "ip addr add 192.0.2.$OWN/32 dev lo; ip addr add 2001:db8:1::$OWN/128 dev lo;"
      "ip addr add 198.51.100.$OWN/24 dev eth0; ip addr add 2001:db8:2::$OWN/64 dev eth0 nodad;"
      "ip route add 192.0.2.$PEER via 198.51.100.$PEER;"
      "ip route add 2001:db8:1::$PEER via 2001:db8:2::$PEER");

  expect_reached(true);

  // Programs need the header, and the tunnel's own device has one.
  const TunCable cable(cluster.a.netns, cluster.b.netns);
  on_both("ip link set eth0 down");
  lead_by("tun0");

  expect_reached(GetParam() == "vxlan");
}

TEST_P(OddUplinks, MayBeVlans) {
  if (!can_make("link lan1 name lan1.100 type vlan id 100"))
    GTEST_SKIP() << "this kernel has no 802.1Q; tools/kernels tests it on 6.12";
  on_both(
      "ip addr flush dev eth0 scope global; ip link add link eth0 name eth0.100 type vlan id 100");
  lead_by("eth0.100");

  expect_reached(true);
}

TEST_P(OddUplinks, MayBeBonds) {
  if (!can_make("bond7 type bond mode active-backup miimon 100"))
    GTEST_SKIP() << "this kernel has no bonds; tools/kernels tests them on 6.12";
  for (const unsigned number : {1U, 2U})
    cluster.underlay.connect_also(cluster.member(number - 1).node.netns, 1, number + 10, "eth1");
  on_both(
      "ip link add bond0 type bond mode active-backup miimon 100\n"
      "for nic in eth0 eth1; do ip addr flush dev $nic scope global; ip link set $nic down;"
      " ip link set $nic master bond0; done");
  lead_by("bond0");

  expect_reached(true);

  cluster.a.must_run({"ip", "link", "set", "eth0", "down"});
  expect_reached(true);
}

// The kernel encrypts what goes by the device, and that has no Ethernet header.
TEST_P(OddUplinks, MayBeWireGuard) {
  if (!can_make("wg7 type wireguard"))
    GTEST_SKIP() << "this kernel has no WireGuard; tools/kernels tests it on 6.12";
  // Each side's key; the public ones are those that `wg pubkey` makes of them.
  const std::array<std::string, 2> keys = {must_run({.argv = {"wg", "genkey"}}),
                                           must_run({.argv = {"wg", "genkey"}})};
  for (const std::size_t own : {0U, 1U}) {
    const std::string peer = std::to_string(2 - own);
    cluster.member(own).node.must_run(
        {"sh", "-ec",
         "ip link add wg0 mtu 1500 type wireguard; key=$(mktemp); echo '" + keys[own] +
             "' >$key; wg set wg0 listen-port 51820 private-key $key peer $(echo '" +
             keys[1 - own] + "' | wg pubkey) endpoint 192.0.2." + peer +
             ":51820 allowed-ips 0.0.0.0/0,::/0; rm $key"});
  }
  lead_by("wg0");

  expect_reached(GetParam() == "vxlan");
}

INSTANTIATE_TEST_SUITE_P(By, OddUplinks, testing::Values("direct", "vxlan"),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace kubecni::test
