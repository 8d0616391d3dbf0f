#include "ipam/pool.hpp"

#include <cerrno>

namespace kubecni {

namespace {

std::uint64_t number_of(const IpAddr& v4_addr) {
  std::uint64_t number = 0;
  for (unsigned i = 0; i < 4; ++i) number = number << 8 | v4_addr.data()[i];
  return number;
}

}  // namespace

Result<Pool> Pool::of(const IpNet& subnet) {
  if (!subnet.addr.is_v4())
    return failure(EINVAL, "subnet " + subnet.str() + " is not IPv4; only IPv4 is supported");
  if (subnet.prefix > 30)
    return failure(EINVAL, "subnet " + subnet.str() +
                               " has no room for a gateway and a pod; give at least a /30");
  // Without the network address, the gateway and the broadcast address.
  return Pool(subnet.network(), (std::uint64_t{1} << (32 - subnet.prefix)) - 3);
}

std::uint64_t Pool::index_of(const IpAddr& addr) const {
  if (!subnet_.contains(addr)) return size_;
  const std::uint64_t offset = number_of(addr) - number_of(subnet_.addr);
  return offset >= 2 && offset - 2 < size_ ? offset - 2 : size_;
}

}  // namespace kubecni
