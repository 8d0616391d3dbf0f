#include "pods/bandwidth.hpp"

#include "net/redirect.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <ratio>
#include <utility>

namespace kubecni {

namespace {

constexpr std::uint64_t kMaxU32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kMostBurstSeconds = 60;  // tbf counts a burst as a time, up to 274 s
constexpr std::uint64_t kBurstsPerSecond = 50;   // 20 ms: longer than a busy CPU lets a timer wait
constexpr std::uint64_t kQueuesPerSecond = 20;   // 50 ms
constexpr std::uint64_t kLeastBurst = 16 << 10;
constexpr std::uint64_t kLeastQueue = 64 << 10;  // a packet of GSO
constexpr unsigned kFrameHeader = 64;            // more than Ethernet and tags have
constexpr std::uint64_t kMostPacedFrames = 90;   // by default, fq keeps 100 packets of a flow

std::uint32_t clamped(std::uint64_t bytes, std::uint64_t least) {
  return static_cast<std::uint32_t>(std::min(std::max(bytes, least), kMaxU32));
}

/// Says what helps.
Result<> explained(Result<> done) {
  if (done) return done;
  const int code = done.error().code;
  if (code != ENOENT && code != EOPNOTSUPP) return done;
  return failure(code, done.error().what +
                           "; limits of bandwidth need the kernel modules sch_tbf, and for what "
                           "pods send ifb, cls_u32 and act_mirred: load these modules");
}

/// The pod's ifb, with its bucket.
Result<Link> ensure_ifb(NetlinkSocket& netlink, const Attachment& attachment,
                        const TokenBucket& bucket) {
  const std::string name = ifb_name_for(attachment.port.host_ifname);
  auto created = create_ifb(netlink, name, attachment.port.mtu);
  if (!created && created.error().code != EEXIST) return fail(created);
  auto ifb = find_link(netlink, name);
  if (!ifb) return fail(ifb);
  if (!*ifb) return failure(ENODEV, "device " + name + " is gone");
  if ((*ifb)->kind != "ifb")
    return failure(EEXIST, "link " + name + " exists and is no ifb device; remove it");
  if (auto set = set_token_bucket(netlink, (*ifb)->ifindex, bucket); !set) return fail(set);
  if (auto up = set_link_up(netlink, (*ifb)->ifindex); !up) return fail(up);
  return std::move(**ifb);
}

Result<> limit_egress(NetlinkSocket& netlink, const Attachment& attachment, const Link& host) {
  auto ifb = ensure_ifb(netlink, attachment,
                        plan_token_bucket(*attachment.bandwidth.egress, attachment.port.mtu));
  auto led = ifb ? set_redirect(netlink, host.ifindex, ifb->ifindex) : fail(ifb);
  // Who would remove the device is gone with the pod. A living pod sends by it.
  if (!led && led.error().code == ENODEV)
    (void)remove_bandwidth(netlink, attachment.port.host_ifname);
  return led;
}

/// Whether the link has the bucket that `limit` needs.
bool has_bucket(const TokenBuckets& buckets, unsigned ifindex, const TokenBucket& wanted) {
  const auto found = buckets.find(ifindex);
  return found != buckets.end() && wanted.is_like(found->second);
}

}  // namespace

TokenBucket plan_token_bucket(const RateLimit& limit, unsigned mtu) {
  const std::uint64_t rate = limit.rate / 8;
  const std::uint64_t burst = limit.burst != 0 ? std::min(limit.burst / 8, rate * kMostBurstSeconds)
                                               : rate / kBurstsPerSecond;
  const std::uint64_t least = limit.burst != 0 ? 0 : kLeastBurst;
  return {.rate = rate,
          .burst = clamped(burst, std::max<std::uint64_t>(least, mtu + kFrameHeader)),
          .queue = clamped(rate / kQueuesPerSecond, kLeastQueue)};
}

Pacer plan_pacer(const RateLimit& limit, unsigned mtu) {
  const TokenBucket bucket = plan_token_bucket(limit, mtu);
  const auto time_of = [&](std::uint64_t bytes) {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(
        static_cast<double>(bytes) * std::nano::den / static_cast<double>(bucket.rate)));
  };
  const std::uint64_t queue = std::min<std::uint64_t>(bucket.queue, kMostPacedFrames * mtu);
  return {.rate = bucket.rate, .burst = time_of(bucket.burst), .queue = time_of(queue)};
}

std::string ifb_name_for(const std::string& host_ifname) {
  constexpr std::string_view kPrefix = "veth";
  return "ifb" + host_ifname.substr(kPrefix.size());
}

Result<> ensure_bandwidth(NetlinkSocket& netlink, const Attachment& attachment, const Link& host) {
  const auto& [ingress, egress] = attachment.bandwidth;
  if (ingress) {
    auto set =
        set_token_bucket(netlink, host.ifindex, plan_token_bucket(*ingress, attachment.port.mtu));
    if (!set) return explained(set);
  }
  return egress ? explained(limit_egress(netlink, attachment, host)) : Result<>();
}

Result<std::vector<std::string>> find_bandwidth_losses(NetlinkSocket& netlink,
                                                       const TokenBuckets& buckets,
                                                       const Attachment& attachment,
                                                       const Link& host) {
  std::vector<std::string> losses;
  const auto& [ingress, egress] = attachment.bandwidth;
  const unsigned mtu = attachment.port.mtu;
  if (ingress && !has_bucket(buckets, host.ifindex, plan_token_bucket(*ingress, mtu)))
    losses.push_back("what the pod receives is not limited to " + rate_text(ingress->rate) +
                     " by a tbf on " + host.name);
  if (!egress) return losses;
  const std::string name = ifb_name_for(attachment.port.host_ifname);
  auto ifb = find_link(netlink, name);
  if (!ifb) return fail(ifb);
  auto led_to = find_redirect(netlink, host.ifindex);
  if (!led_to) return fail(led_to);
  if (!*ifb || !(*ifb)->up || *led_to != (*ifb)->ifindex ||
      !has_bucket(buckets, (*ifb)->ifindex, plan_token_bucket(*egress, mtu)))
    losses.push_back("what the pod sends is not limited to " + rate_text(egress->rate) +
                     " by a tbf on " + name);
  return losses;
}

Result<> remove_bandwidth(NetlinkSocket& netlink, const std::string& host_ifname) {
  auto ifb = find_link(netlink, ifb_name_for(host_ifname));
  if (!ifb) return fail(ifb);
  if (!*ifb || (*ifb)->kind != "ifb") return {};
  return delete_link(netlink, (*ifb)->ifindex);
}

}  // namespace kubecni
