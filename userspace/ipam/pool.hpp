#pragma once

#include "base/ip.hpp"
#include "base/ip_range.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace kubecni {

/// The addresses of one subnet, IPv4 or IPv6, that pods may get: the range, without the network
/// address (for IPv6 the subnet-router anycast address), the gateway, and IPv4's broadcast address.
class Pool {
 public:
  /// Errors: EINVAL the subnet is too small for a gateway and one pod (longer than /30, for IPv6
  /// /126); or a key, which the error names, is outside of it or leaves no address.
  static Result<Pool> of(const Range& range);
  static Result<Pool> of(const IpNet& subnet) { return of(Range{.subnet = subnet}); }

  [[nodiscard]] const IpNet& subnet() const { return subnet_; }
  [[nodiscard]] const IpAddr& gateway() const { return gateway_; }
  /// The gateway's address with the subnet's prefix, as on the bridge.
  [[nodiscard]] IpNet gateway_net() const { return {gateway_, subnet_.prefix}; }
  [[nodiscard]] const IpAddr& first() const { return first_; }
  [[nodiscard]] const IpAddr& last() const { return last_; }

  /// How many addresses have a number: all, but at most 2^62.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// The pod address with number `index`, 0 .. size() - 1.
  [[nodiscard]] IpAddr at(std::uint64_t index) const;
  /// The number of `addr`, or size() if it has none.
  [[nodiscard]] std::uint64_t index_of(const IpAddr& addr) const;
  /// Whether a pod may get `addr`.
  [[nodiscard]] bool contains(const IpAddr& addr) const;
  [[nodiscard]] bool overlaps(const Pool& other) const;

  bool operator==(const Pool&) const = default;

 private:
  Pool() = default;
  [[nodiscard]] bool is_gateway_inside() const { return first_ <= gateway_ && gateway_ <= last_; }

  IpNet subnet_;
  IpAddr gateway_;
  IpAddr first_;
  IpAddr last_;
  std::uint64_t size_ = 0;
};

/// A pod gets one address of a set: from the first pool that has a free one. All pools of a set
/// have the same family.
using PoolSet = std::vector<Pool>;

/// "10.200.0.0/24, 10.200.4.0/24".
std::string describe(const PoolSet& set);

/// The pools of a whole configuration, a set for each address of a pod.
/// Errors: EINVAL those of Pool::of(); a set is empty or mixes families; two pools overlap, or one
/// contains another's gateway.
Result<std::vector<PoolSet>> pool_sets_of(const std::vector<std::vector<Range>>& ranges);

/// The pool that contains `addr`; null if there is none.
const Pool* find_pool(const std::vector<PoolSet>& sets, const IpAddr& addr);

}  // namespace kubecni
