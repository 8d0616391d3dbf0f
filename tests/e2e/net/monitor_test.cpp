// What the daemon is woken by.

#include "net/monitor.hpp"

#include "link_pair.hpp"

#include <poll.h>

#include <optional>

namespace kubecni::test {
namespace {

class Monitor : public LinkPair {
 protected:
  Monitor() {
    // The kernel's own addresses, which would be reported on their own.
    if (!eventually([&] { return ip("-6 addr show tentative").empty(); }))
      throw std::runtime_error("an address is still tentative");
    here.enter([&] { monitor.emplace(must(NetlinkMonitor::open())); });
  }

  bool reports(const std::string& change) {
    monitor->drain();
    ip(change);
    pollfd ready{monitor->fd(), POLLIN, 0};
    return ::poll(&ready, 1, 2000) == 1;
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

}  // namespace
}  // namespace kubecni::test
