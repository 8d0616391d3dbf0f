#include "base/file.hpp"
#include "base/text.hpp"
#include "dataplane/sysctls.hpp"
#include "doctor/examine.hpp"
#include "net/forward_chains.hpp"
#include "net/link.hpp"
#include "net/nftables.hpp"
#include "net/offload.hpp"
#include "net/route.hpp"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <set>

namespace kubecni {

namespace {

/// What an IPv6 link and the largest header of VXLAN need together, bytes.
constexpr unsigned kLeastMtu = 1280 + 70;

std::string setting(const std::string& name) {
  std::string value = read_file("/proc/sys/" + name).value_or("");
  while (value.ends_with('\n')) value.pop_back();
  return value;
}

std::string dotted(std::string name) {
  std::ranges::replace(name, '/', '.');
  return name;
}

/// kube-cnid sets these; this reports what it will have to change, or cannot.
Finding settings() {
  std::string others;
  std::string missing;
  const auto look = [&](const Sysctl& wanted) {
    const std::string value = setting(wanted.name);
    if (value.empty())
      append_word(missing, dotted(wanted.name));
    else if (value != wanted.value)
      append_word(others, dotted(wanted.name) + "=" + value);
  };
  std::ranges::for_each(kForwardingSysctls, look);
  std::ranges::for_each(kPathSysctls, look);
  if (!missing.empty())
    return {"settings", Verdict::kLimited, "not there: " + missing,
            "modprobe -a br_netfilter nf_conntrack; without them translated flows may break"};
  if (!others.empty()) return {"settings", Verdict::kOk, "kube-cnid will change " + others, ""};
  return {"settings", Verdict::kOk, "as they have to be", ""};
}

Finding firewall() {
  constexpr const char* kRemedy =
      "accept what comes from and goes to the PodCIDRs there, or set its policy to accept";
  auto nftables = Nftables::open();
  if (!nftables) return {"firewall", Verdict::kUnknown, nftables.error().what, ""};
  auto chains = nftables->list_chains();
  if (!chains) return {"firewall", Verdict::kUnknown, chains.error().what, ""};
  const auto found = dropping_forward_chains(*chains);
  if (!found) return {"firewall", Verdict::kUnknown, found.error().what, ""};
  const std::string dropping = joined(*found);
  if (!dropping.empty())
    return {"firewall", Verdict::kLimited,
            "drops forwarded packets that no rule accepts: " + dropping, kRemedy};
  const std::string legacy = read_file("/proc/net/ip_tables_names").value_or("");
  if (legacy.find("filter") != legacy.npos)
    return {"firewall", Verdict::kUnknown, "rules of iptables-legacy are not looked at",
            "iptables-legacy -S FORWARD shows whether they drop what pods send"};
  return {"firewall", Verdict::kOk, "no chain drops forwarded packets by its policy", ""};
}

/// The devices that a default route leads to; without one, each that is a NIC.
std::vector<Link> uplinks(const std::vector<Link>& links, const std::vector<Route>& routes) {
  std::set<unsigned> by_route;
  for (const Route& route : routes)
    if (route.dst.prefix == 0 && route.unicast) by_route.insert(route.ifindex);
  std::vector<Link> found;
  for (const Link& link : links) {
    const bool is_nic = link.kind.empty() && link.name != "lo";
    if (link.up && (by_route.empty() ? is_nic : by_route.contains(link.ifindex)))
      found.push_back(link);
  }
  return found;
}

Finding mtu_of(const Link& uplink) {
  const std::string text = uplink.name + " has " + std::to_string(uplink.mtu) + " bytes";
  if (uplink.mtu >= kLeastMtu) return {"MTU", Verdict::kOk, text, ""};
  return {"MTU", Verdict::kLimited, text + ": IPv6 does not fit through a tunnel over it",
          "ip link set " + uplink.name + " mtu 1500, if the network carries that"};
}

Finding offload_of(const Link& uplink) {
  const auto on = has_tx_checksum_offload(uplink.name);
  if (!on) return {"offload", Verdict::kUnknown, on.error().what, ""};
  if (*on) return {"offload", Verdict::kOk, uplink.name + " computes checksums", ""};
  return {"offload", Verdict::kLimited, uplink.name + " leaves checksums to the CPU",
          "ethtool -K " + uplink.name + " tx on, if it can"};
}

/// With forwarding on, the kernel forgets a default route from router advertisements.
Finding learned_route(const Link& uplink, const std::vector<Route>& routes) {
  const bool is_learned = std::ranges::any_of(routes, [&](const Route& route) {
    return route.ifindex == uplink.ifindex && route.dst.prefix == 0 && !route.dst.addr.is_v4() &&
           (route.protocol == RTPROT_RA || route.protocol == RTPROT_KERNEL);
  });
  const std::string name = "net/ipv6/conf/" + uplink.name + "/accept_ra";
  if (!is_learned || setting(name) == "2") return {"IPv6 route", Verdict::kOk, "stays", ""};
  return {"IPv6 route", Verdict::kLimited,
          "the default route of " + uplink.name + " goes when IPv6 is forwarded",
          "sysctl -w net.ipv6.conf." + uplink.name + ".accept_ra=2"};
}

}  // namespace

Result<std::vector<std::string>> dropping_forward_chains(std::string_view chains) {
  auto listed = forward_chains_in(chains);
  if (!listed) return fail(listed);
  std::vector<std::string> found;
  for (const ForwardChain& chain : *listed)
    if (chain.drops) found.push_back(chain.text());
  return found;
}

Findings examine_node() {
  Findings findings{settings(), firewall()};
  auto netlink = NetlinkSocket::open();
  auto links = netlink ? list_links(*netlink) : std::unexpected(netlink.error());
  auto routes = netlink ? list_routes(*netlink) : std::unexpected(netlink.error());
  if (!links || !routes) {
    findings.push_back(
        {"NICs", Verdict::kUnknown, (links ? routes.error() : links.error()).what, ""});
    return findings;
  }
  const auto found = uplinks(*links, *routes);
  for (const Link& uplink : found) {
    findings.push_back(mtu_of(uplink));
    findings.push_back(offload_of(uplink));
    findings.push_back(learned_route(uplink, *routes));
  }
  if (found.empty())
    findings.push_back({"NICs", Verdict::kLimited, "no device leads to other nodes",
                        "give one an address; a single node works without"});
  return findings;
}

}  // namespace kubecni
