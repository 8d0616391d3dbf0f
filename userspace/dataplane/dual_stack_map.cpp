#include "dataplane/dual_stack_map.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace kubecni {

namespace {

template <std::size_t N>
void copy_bytes(const std::uint8_t* from, __u8 (&to)[N]) {
  std::copy_n(from, N, to);
}

}  // namespace

IpAddr next_hop_of(const kubecni_node& node) {
  if (node.next_hop_family == AF_INET6) return IpAddr::v6(node.next_hop);
  __u8 v4[4];
  copy_bytes(node.next_hop, v4);
  return IpAddr::v4(v4);
}

kubecni_addr4 to_addr4(const IpAddr& address) {
  kubecni_addr4 key{};
  copy_bytes(address.data(), key.addr);
  return key;
}

kubecni_addr6 to_addr6(const IpAddr& address) {
  kubecni_addr6 key{};
  copy_bytes(address.data(), key.addr);
  return key;
}

kubecni_cidr4_key to_cidr4_key(const IpNet& cidr) {
  kubecni_cidr4_key key{.prefixlen = cidr.prefix, .addr = {}};
  copy_bytes(cidr.addr.data(), key.addr);
  return key;
}

kubecni_cidr6_key to_cidr6_key(const IpNet& cidr) {
  kubecni_cidr6_key key{.prefixlen = cidr.prefix, .addr = {}};
  copy_bytes(cidr.addr.data(), key.addr);
  return key;
}

}  // namespace kubecni
