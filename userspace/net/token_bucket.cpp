#include "net/token_bucket.hpp"

#include "net/netlink_request.hpp"

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <limits>
#include <string>

namespace kubecni {

namespace {

constexpr std::uint64_t kTickNs = 64;  // PSCHED_SHIFT
constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::uint64_t kMaxU32 = std::numeric_limits<std::uint32_t>::max();

/// How the kernel reports a burst.
std::uint64_t ticks_of(const TokenBucket& bucket) {
  return static_cast<std::uint64_t>(static_cast<double>(bucket.burst) * kSecondNs /
                                    static_cast<double>(bucket.rate) / kTickNs);
}

TokenBucket parse_bucket(nlattr* options) {
  const Attributes<TCA_TBF_MAX> tbf(options);
  TokenBucket bucket;
  tc_tbf_qopt values{};
  if (tbf[TCA_TBF_PARMS]) nla_memcpy(&values, tbf[TCA_TBF_PARMS], sizeof(values));
  bucket.rate = std::max<std::uint64_t>(values.rate.rate, tbf.u64(TCA_TBF_RATE64));
  bucket.queue = values.limit;
  const double burst =
      static_cast<double>(values.buffer) * kTickNs * static_cast<double>(bucket.rate) / kSecondNs;
  bucket.burst = static_cast<std::uint32_t>(std::min(burst, static_cast<double>(kMaxU32)));
  return bucket;
}

}  // namespace

bool TokenBucket::is_like(const TokenBucket& other) const {
  if (rate != other.rate || queue != other.queue) return false;
  const auto mine = ticks_of(*this), others = ticks_of(other);
  return std::max(mine, others) - std::min(mine, others) <= 2 + mine / 1000;
}

Result<> set_token_bucket(NetlinkSocket& netlink, unsigned ifindex, const TokenBucket& bucket) {
  // Without a handle: the kernel refuses to replace another kind that has the same.
  NetlinkRequest request(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE,
                         tcmsg{.tcm_family = AF_UNSPEC,
                               .tcm_ifindex = static_cast<int>(ifindex),
                               .tcm_parent = TC_H_ROOT});
  tc_tbf_qopt values{};
  values.limit = bucket.queue;
  values.rate.rate = static_cast<std::uint32_t>(std::min(bucket.rate, kMaxU32));
  values.rate.linklayer = TC_LINKLAYER_ETHERNET;  // so the kernel needs no table of times
  request.put(TCA_KIND, std::string("tbf"));
  request.nest(TCA_OPTIONS, [&] {
    request.put(TCA_TBF_PARMS, &values, sizeof(values));
    request.put(TCA_TBF_BURST, bucket.burst);
    if (bucket.rate >= kMaxU32) request.put(TCA_TBF_RATE64, bucket.rate);
  });
  return request.exchange(netlink, "limit the rate of link " + std::to_string(ifindex));
}

Result<TokenBuckets> list_token_buckets(NetlinkSocket& netlink) {
  TokenBuckets buckets;
  NetlinkRequest request(RTM_GETQDISC, NLM_F_DUMP, tcmsg{});
  auto done = request.dump(
      netlink, "list queueing disciplines", [&] { buckets.clear(); },
      [&](const nlmsghdr* message) {
        const auto* info = static_cast<const tcmsg*>(nlmsg_data(message));
        const Attributes<TCA_MAX> attributes(message, info);
        if (info->tcm_parent == TC_H_ROOT && attributes.text(TCA_KIND) == "tbf")
          buckets[static_cast<unsigned>(info->tcm_ifindex)] = parse_bucket(attributes[TCA_OPTIONS]);
      });
  if (!done) return fail(done);
  return buckets;
}

}  // namespace kubecni
