#include "net/conntrack.hpp"

#include "base/file.hpp"
#include "net/netlink_request.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>
#include <vector>

namespace kubecni {

namespace {

constexpr int message_type(int message) { return NFNL_SUBSYS_CTNETLINK << 8 | message; }

// The fields that a dump's CTA_FILTER compares (kernel 5.8). No kernel header has them;
// libnetfilter_conntrack uses the same numbers.
constexpr std::uint32_t kFilterSource = 1 << 0;
constexpr std::uint32_t kFilterProtocol = 1 << 3;

nfgenmsg header_of(int family) {
  return {.nfgen_family = static_cast<std::uint8_t>(family), .version = NFNETLINK_V0, .res_id = 0};
}

/// Identifies an entry to the kernel.
struct Key {
  std::vector<char> tuple;  ///< content of CTA_TUPLE_ORIG
  std::optional<std::uint16_t> zone;
  std::optional<std::uint32_t> id;  ///< so that a successor is not deleted
};

struct Addresses {
  std::optional<IpAddr> source;
  std::optional<IpAddr> destination;
  std::uint16_t destination_port = 0;
};

Addresses parse_tuple(nlattr* tuple) {
  const Attributes<CTA_TUPLE_MAX> parts(tuple);
  const Attributes<CTA_IP_MAX> ip(parts[CTA_TUPLE_IP]);
  const Attributes<CTA_PROTO_MAX> protocol(parts[CTA_TUPLE_PROTO]);
  const std::uint16_t port = ntohs(protocol.u16(CTA_PROTO_DST_PORT));
  if (ip[CTA_IP_V4_SRC]) return {ip.ip(CTA_IP_V4_SRC), ip.ip(CTA_IP_V4_DST), port};
  return {ip.ip(CTA_IP_V6_SRC), ip.ip(CTA_IP_V6_DST), port};
}

std::optional<UdpFlow> parse_flow(const Attributes<CTA_MAX>& attributes) {
  const Addresses original = parse_tuple(attributes[CTA_TUPLE_ORIG]);
  const Addresses reply = parse_tuple(attributes[CTA_TUPLE_REPLY]);
  if (!original.source || !original.destination || !reply.source || !reply.destination)
    return std::nullopt;
  return UdpFlow{.source = *original.source,
                 .destination = *original.destination,
                 .destination_port = original.destination_port,
                 .answered_by = *reply.source,
                 .answered_to = *reply.destination};
}

Key key_of(const Attributes<CTA_MAX>& attributes) {
  nlattr* tuple = attributes[CTA_TUPLE_ORIG];
  const auto* bytes = static_cast<const char*>(nla_data(tuple));
  Key key{.tuple = std::vector<char>(bytes, bytes + nla_len(tuple)), .zone = {}, .id = {}};
  if (attributes[CTA_ZONE]) key.zone = attributes.u16(CTA_ZONE);
  if (attributes[CTA_ID]) key.id = attributes.u32(CTA_ID);
  return key;
}

/// Starts a dump of the family's UDP flows, for IPv4 filtered by who answers. For IPv6 the filter
/// is useless: kernels, also 6.18, show all entries but the wanted ones.
NetlinkRequest request_dump(int family, std::optional<IpAddr> answered_by) {
  if (family == AF_INET6) answered_by.reset();
  NetlinkRequest request(message_type(IPCTNL_MSG_CT_GET), NLM_F_DUMP, header_of(family));
  request.nest(CTA_TUPLE_REPLY, [&] {
    if (answered_by) request.nest(CTA_TUPLE_IP, [&] { request.put(CTA_IP_V4_SRC, *answered_by); });
    request.nest(CTA_TUPLE_PROTO, [&] { request.put(CTA_PROTO_NUM, std::uint8_t{IPPROTO_UDP}); });
  });
  request.nest(CTA_FILTER, [&] {
    request.put(CTA_FILTER_ORIG_FLAGS, std::uint32_t{0});
    request.put(CTA_FILTER_REPLY_FLAGS,
                answered_by ? kFilterProtocol | kFilterSource : kFilterProtocol);
  });
  return request;
}

/// Whether the entry existed.
Result<bool> forget(NetlinkSocket& netlink, int family, const Key& key) {
  NetlinkRequest request(message_type(IPCTNL_MSG_CT_DELETE), 0, header_of(family));
  request.put(CTA_TUPLE_ORIG | NLA_F_NESTED, key.tuple.data(), key.tuple.size());
  if (key.zone) request.put(CTA_ZONE, *key.zone);
  if (key.id) request.put(CTA_ID, *key.id);
  auto done = request.exchange(netlink, "forget a UDP flow");
  if (!done && done.error().code == ENOENT) return false;
  if (!done) return fail(done);
  return true;
}

/// Works in the calling thread's namespace.
bool has_entries() {
  const auto count = read_file("/proc/sys/net/netfilter/nf_conntrack_count");
  return count && *count != "0\n";
}

Result<unsigned> forget_selected(int family, const std::optional<IpAddr>& answered_by,
                                 const std::function<bool(const UdpFlow&)>& is_stale) {
  if (!has_entries()) return 0;
  auto netlink = NetlinkSocket::open(NetlinkPeer::kNetfilter);
  if (!netlink) return fail(netlink, "connection tracking");
  std::vector<Key> stale;
  auto request = request_dump(family, answered_by);
  auto listed = request.dump(
      *netlink, "list UDP flows", [&] { stale.clear(); },
      [&](const nlmsghdr* message) {
        const Attributes<CTA_MAX> attributes(message, static_cast<nfgenmsg*>(nullptr));
        const auto flow = parse_flow(attributes);
        if (flow && is_stale(*flow)) stale.push_back(key_of(attributes));
      });
  if (!listed) return fail(listed);
  unsigned forgotten = 0;
  for (const Key& key : stale) {
    auto gone = forget(*netlink, family, key);
    if (!gone) return fail(gone);
    forgotten += *gone ? 1 : 0;
  }
  return forgotten;
}

}  // namespace

Result<unsigned> forget_udp_flows_to(const IpAddr& pod) {
  return forget_selected(pod.family(), pod, [&](const UdpFlow& flow) {
    return flow.answered_by == pod && flow.destination != pod;
  });
}

Result<unsigned> forget_udp_flows(int family, const std::function<bool(const UdpFlow&)>& is_stale) {
  return forget_selected(family, std::nullopt, is_stale);
}

}  // namespace kubecni
