// What wakes the daemon.

#include "net/monitor.hpp"

#include "link_pair.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <optional>

namespace kubecni::test {
namespace {

using namespace std::chrono_literals;

class Monitor : public LinkPair {
 protected:
  Monitor() {
    // The kernel's own addresses, which would be reported separately.
    if (!eventually([&] { return ip("-6 addr show tentative").empty(); }))
      throw std::runtime_error("an address is still tentative");
    here.enter([&] { monitor.emplace(must(NetlinkMonitor::open())); });
  }

  /// Whether it reports `change`.
  bool reports(const std::string& change) {
    monitor->take_changes();
    ip(change);
    return hears_within(2s);
  }

  bool hears_within(std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
      pollfd ready{monitor->fd(), POLLIN, 0};
      if (::poll(&ready, 1, 50) == 1 && monitor->take_changes()) return true;
    }
    return false;
  }

  std::optional<NetlinkMonitor> monitor;
};

TEST_F(Monitor, ReportsAddressesRoutesAndRulesOfBothFamilies) {
  for (const char* change :
       {"addr add 192.0.2.9/24 dev eth0", "route add 10.1.2.0/24 via 192.0.2.2",
        "rule add iif eth0 lookup 100", "-6 addr add 2001:db8::9/64 dev eth0 nodad",
        "-6 route add 2001:db8:1::/64 via 2001:db8::2", "-6 rule add iif eth0 lookup 100"}) {
    EXPECT_TRUE(reports(change)) << change;
  }
}

/// `here` as a node: a bridge with a veth, whose other end is in `there`, a pod.
class MonitorOfANode : public Monitor {
 protected:
  /// It reports a carrier once a second.
  static constexpr std::chrono::milliseconds kKernelsDelay{2500};

  MonitorOfANode() {
    ip("link add cni0 type bridge");
    ip("addr add 10.200.1.1/24 dev cni0");
    ip("-6 addr add fd00:1::1/64 dev cni0 nodad");
    ip("link set cni0 up");
    ip("link add veth0 type veth peer name pod0 netns there");
    ip("link set veth0 master cni0 up");
    run_ip(there, "link set pod0 up");
    // The first report about a link is news.
    flap();
    while (hears_within(kKernelsDelay)) {
    }
  }

  void flap() const {
    run_ip(there, "link set pod0 down");
    run_ip(there, "link set pod0 up");
  }
};

TEST_F(MonitorOfANode, HearsNothingOfWhatAPodDoesToItsEnd) {
  for (int i = 0; i < 10; ++i) {
    flap();
    EXPECT_FALSE(monitor->take_changes()) << i;
  }
  run_ip(there, "addr add 10.9.9.9/24 dev pod0");
  run_ip(there, "link add br7 type bridge");
  run_ip(there, "link set pod0 master br7");
  run_ip(there, "link set pod0 address 0a:58:01:02:03:04");
  run_ip(there, "link set pod0 promisc on");

  EXPECT_FALSE(hears_within(kKernelsDelay)) << ip("addr show; ip route show table all");
}

TEST_F(MonitorOfANode, StillHearsOfItsOwnLinks) {
  for (const char* change :
       {"link set veth0 mtu 1400", "link set veth0 nomaster", "link set veth0 down",
        "link set cni0 address 0a:58:0a:c8:01:01", "addr del 10.200.1.1/24 dev cni0",
        "link set cni0 down", "link del veth0", "link add veth0 type bridge"}) {
    EXPECT_TRUE(reports(change)) << change;
  }
}

TEST_F(MonitorOfANode, HearsOfPortsForwardingAndPermanentEntries) {
  for (const char* change :
       {"bridge link set dev veth0 hairpin on", "bridge link set dev veth0 hairpin off",
        "bridge fdb add 0a:58:0a:c8:01:02 dev veth0 master static", "bridge fdb flush dev cni0",
        "echo 1 > /proc/sys/net/ipv4/conf/cni0/forwarding",
        "echo 0 > /proc/sys/net/ipv4/conf/cni0/forwarding",
        "ip neigh add 10.200.1.2 lladdr 0a:58:0a:c8:01:02 dev cni0 nud permanent protocol 84",
        "ip neigh del 10.200.1.2 dev cni0"}) {
    monitor->take_changes();
    Node::must_run_in(here, {"sh", "-ec", change});
    EXPECT_TRUE(hears_within(2s)) << change;
  }
}

TEST_F(MonitorOfANode, IsNotWokenByNeighboursThatNobodyMadePermanent) {
  monitor->take_changes();

  ip("neigh add 10.200.1.7 lladdr 0a:58:0a:c8:01:07 dev cni0 nud reachable");
  ip("neigh change 10.200.1.7 lladdr 0a:58:0a:c8:01:08 dev cni0 nud stale");
  ip("neigh del 10.200.1.7 dev cni0");

  pollfd ready{monitor->fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&ready, 1, 200), 0);
}

TEST_F(MonitorOfANode, HearsOfAnAddressAgainThatWasTakenAway) {
  for (const char* change : {"addr add 10.200.9.1/24 dev cni0", "addr del 10.200.9.1/24 dev cni0",
                             "addr add 10.200.9.1/24 dev cni0"}) {
    EXPECT_TRUE(reports(change)) << change;
  }
}

TEST_F(MonitorOfANode, SaysSoWhenNotificationsWereLost) {
  const int least = 1;
  ASSERT_EQ(::setsockopt(monitor->fd(), SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)), 0);
  for (int i = 0; i < 5; ++i) flap();

  EXPECT_TRUE(monitor->take_changes());
}

}  // namespace
}  // namespace kubecni::test
