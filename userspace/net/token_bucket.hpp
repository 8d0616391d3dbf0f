#pragma once

#include "base/result.hpp"
#include "net/netlink.hpp"

#include <cstdint>
#include <map>

namespace kubecni {

/// What the queueing discipline `tbf` lets pass (tc-tbf(8)). It has no classes, so no packet can
/// choose one.
struct TokenBucket {
  std::uint64_t rate = 0;   ///< bytes per second of frames, with their Ethernet header
  std::uint32_t burst = 0;  ///< bytes that pass at once after a pause; larger packets are dropped,
                            ///< or split if they are GSO's
  std::uint32_t queue = 0;  ///< bytes that wait at most; what comes then is dropped

  /// The kernel reports a burst as the time that it takes, in steps of 64 ns.
  [[nodiscard]] bool is_like(const TokenBucket& other) const;
};

/// By ifindex.
using TokenBuckets = std::map<unsigned, TokenBucket>;

/// Makes `bucket` the root queueing discipline of the link, in the place of any other.
/// Errors: ENODEV no such link; ENOENT the kernel has no `tbf`.
Result<> set_token_bucket(NetlinkSocket& netlink, unsigned ifindex, const TokenBucket& bucket);

/// Those that are the root of a link.
Result<TokenBuckets> list_token_buckets(NetlinkSocket& netlink);

}  // namespace kubecni
