#include "support/wire.hpp"

#include "base/mac.hpp"
#include "net/address.hpp"
#include "net/bridge.hpp"
#include "net/link.hpp"
#include "net/sysctl.hpp"

#include <atomic>

namespace kubecni::test {

namespace {

constexpr unsigned kMtu = 1500;

/// MAC addresses of wires that a router joins must differ.
std::uint8_t next_number() {
  static std::atomic<std::uint8_t> number = 0;
  return ++number;
}

}  // namespace

Wire::Wire(std::string name) : name_(std::move(name)), number_(next_number()) {
  auto netlink = must(NetlinkSocket::open());
  const MacAddr mac{{0x02, 0, 0, number_, 0, 0xff}};
  ifindex_ = must(ensure_bridge(netlink, name_, mac, kMtu)).ifindex;
}

Wire::~Wire() {
  auto netlink = NetlinkSocket::open();
  if (!netlink) return;
  // A deleted namespace takes its NIC along, but not at once, and the next test needs the names of
  // the ports.
  for (unsigned port = 1; port <= nodes_; ++port) {
    auto link = find_link(*netlink, name_ + "-" + std::to_string(port));
    if (link && *link) (void)delete_link(*netlink, (*link)->ifindex);
  }
  (void)delete_link(*netlink, ifindex_);
}

void Wire::connect_outside(const std::string& address) const {
  auto netlink = must(NetlinkSocket::open());
  must(ensure_address(netlink, ifindex_, IpNet::parse(address).value()));
}

std::string Wire::connect(const NetNs& netns, const std::vector<std::string>& addresses,
                          const std::string& nic) {
  auto outside = must(NetlinkSocket::open());
  auto inside = must(NetlinkSocket::open_in(netns.fd()));
  ++nodes_;
  const std::string port = name_ + "-" + std::to_string(nodes_);
  must(create_veth(outside, {.host_name = port,
                             .host_mac = {{0x02, 0, 0, number_, 1, nodes_}},
                             .bridge_ifindex = ifindex_,
                             .pod_name = nic,
                             .pod_mac = {{0x02, 0, 0, number_, 2, nodes_}},
                             .pod_netns_fd = netns.fd(),
                             .mtu = kMtu}));
  must(set_link_up(outside, must(find_link(outside, port)).value().ifindex));
  const unsigned ifindex = must(find_link(inside, nic)).value().ifindex;
  // A forwarding host asks for neighbours from its link-local address, which duplicate address
  // detection delays by two seconds.
  netns.enter([&] { must(ensure_sysctl("net/ipv6/conf/" + nic + "/accept_dad", "0")); });
  for (const auto& address : addresses)
    must(ensure_address(inside, ifindex, IpNet::parse(address).value()));
  must(set_link_up(inside, ifindex));
  return port;
}

}  // namespace kubecni::test
