#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"

#include <cstdint>

namespace kubecni {

/// The addresses of one IPv4 subnet that pods may get: all but the network
/// address, the gateway (which is the first) and the broadcast address.
class Pool {
 public:
  /// Errors: EINVAL the subnet is not IPv4, or too small for a gateway and one
  /// pod (longer than /30).
  static Result<Pool> of(const IpNet& subnet);

  [[nodiscard]] const IpNet& subnet() const { return subnet_; }
  [[nodiscard]] IpAddr gateway() const { return subnet_.addr.plus(1); }
  /// The gateway's address with the subnet's prefix, as the bridge has it.
  [[nodiscard]] IpNet gateway_net() const { return {gateway(), subnet_.prefix}; }

  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// The pod address with number `index`, 0 .. size() - 1.
  [[nodiscard]] IpAddr at(std::uint64_t index) const { return subnet_.addr.plus(2 + index); }
  /// The number of `addr`, or size() if pods do not get it.
  [[nodiscard]] std::uint64_t index_of(const IpAddr& addr) const;

 private:
  Pool(const IpNet& subnet, std::uint64_t size) : subnet_(subnet), size_(size) {}
  IpNet subnet_;
  std::uint64_t size_;
};

}  // namespace kubecni
