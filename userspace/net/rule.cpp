#include "net/rule.hpp"

#include "net/netlink_request.hpp"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

namespace kubecni {

namespace {

fib_rule_hdr header_of(const Rule& rule) {
  return {.family = static_cast<std::uint8_t>(rule.family),
          .src_len = static_cast<std::uint8_t>(rule.from ? rule.from->prefix : 0),
          .table = RT_TABLE_UNSPEC,  // an attribute has it
          .action = FR_ACT_TO_TBL};
}

void put_rule(NetlinkRequest& request, const Rule& rule) {
  if (!rule.iif.empty()) request.put(FRA_IIFNAME, rule.iif);
  if (rule.from) request.put(FRA_SRC, rule.from->addr);
  if (rule.mark != 0) {
    request.put(FRA_FWMARK, rule.mark);
    request.put(FRA_FWMASK, rule.mark);
  }
  request.put(FRA_TABLE, std::uint32_t{rule.table});
  request.put(FRA_PRIORITY, std::uint32_t{rule.priority});
  request.put(FRA_PROTOCOL, std::uint8_t{rule.protocol});
}

std::string describe(const Rule& rule) {
  return std::string(rule.family == AF_INET ? "IPv4" : "IPv6") + " rule " +
         std::to_string(rule.priority) + (rule.iif.empty() ? "" : " from iif " + rule.iif) +
         (rule.from ? " from " + rule.from->str() : "") +
         (rule.mark != 0 ? " with mark " + std::to_string(rule.mark) : "") + " to table " +
         std::to_string(rule.table);
}

Rule parse_rule(const nlmsghdr* message) {
  const auto* info = static_cast<const fib_rule_hdr*>(nlmsg_data(message));
  const Attributes<FRA_MAX> attributes(message, info);
  std::optional<IpNet> from;
  if (const auto source = attributes.ip(FRA_SRC)) from = {*source, info->src_len};
  return {.family = info->family,
          .iif = attributes.text(FRA_IIFNAME),
          .from = from,
          .mark = attributes.u32(FRA_FWMARK),
          .table = attributes[FRA_TABLE] ? attributes.u32(FRA_TABLE) : info->table,
          .priority = attributes.u32(FRA_PRIORITY),
          .protocol = attributes.u8(FRA_PROTOCOL)};
}

}  // namespace

Result<> ensure_rule(NetlinkSocket& netlink, const Rule& rule) {
  NetlinkRequest request(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, header_of(rule));
  put_rule(request, rule);
  auto added = request.exchange(netlink, "add " + describe(rule));
  if (!added && added.error().code == EEXIST) return {};
  return added;
}

Result<> delete_rule(NetlinkSocket& netlink, const Rule& rule) {
  NetlinkRequest request(RTM_DELRULE, 0, header_of(rule));
  put_rule(request, rule);
  auto done = request.exchange(netlink, "delete " + describe(rule));
  if (!done && done.error().code == ENOENT) return {};
  return done;
}

Result<std::vector<Rule>> list_rules(NetlinkSocket& netlink, unsigned char protocol) {
  std::vector<Rule> rules;
  NetlinkRequest request(RTM_GETRULE, NLM_F_DUMP, fib_rule_hdr{.family = AF_UNSPEC});
  auto done = request.dump(
      netlink, "list rules", [&] { rules.clear(); },
      [&](const nlmsghdr* message) {
        Rule rule = parse_rule(message);
        const bool is_ip = rule.family == AF_INET || rule.family == AF_INET6;
        if (is_ip && rule.protocol == protocol) rules.push_back(std::move(rule));
      });
  if (!done) return fail(done);
  return rules;
}

}  // namespace kubecni
