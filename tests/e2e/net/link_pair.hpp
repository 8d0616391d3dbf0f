#pragma once

#include "expect.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"
#include "support/ip.hpp"
#include "support/pod.hpp"
#include "support/traffic.hpp"

#include <string>

namespace kubecni::test {

/// Two namespaces joined by a cable: `here` has 192.0.2.1/24 and 2001:db8::1/64 on
/// eth0, `there` has 192.0.2.2 and 2001:db8::2.
class LinkPair : public testing::Test {
 protected:
  LinkPair() {
    ip("link add eth0 type veth peer name eth0 netns there");
    give_addresses(here, "1");
    give_addresses(there, "2");
  }

  static void give_addresses(const NetNs& netns, const std::string& host) {
    run_ip(netns, "addr add 192.0.2." + host + "/24 dev eth0");
    run_ip(netns, "addr add 2001:db8::" + host + "/64 dev eth0 nodad");
    run_ip(netns, "link set eth0 up");
  }

  /// `ip` with these arguments, in `here`.
  std::string ip(const std::string& arguments) const { return run_ip(here, arguments); }

  static std::string run_ip(const NetNs& netns, const std::string& arguments) {
    return Node::must_run_in(netns, {"sh", "-c", "ip " + arguments});
  }

  unsigned ifindex_of(const std::string& name) {
    return must(find_link(netlink, name)).value().ifindex;
  }

  NetNs here{"here"};
  NetNs there{"there"};
  NetlinkSocket netlink = must(NetlinkSocket::open_in(here.fd()));
};

}  // namespace kubecni::test
