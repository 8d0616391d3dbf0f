#include "cluster/cluster_rules.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace kubecni {

namespace {

// The largest private IPv4 network is 10.0.0.0/8. No IPv6 network wider than a /16 is assigned.
constexpr unsigned kShortestPrefix4 = 8;
constexpr unsigned kShortestPrefix6 = 16;

struct SpecialNet {
  IpNet net;
  std::string_view what;
};

/// Networks in which no host has its address: RFC 6890, RFC 4291.
const std::array<SpecialNet, 9>& special_nets() {
  const auto net = [](const char* text) { return IpNet::parse(text).value(); };
  static const std::array<SpecialNet, 9> kNets{SpecialNet{net("0.0.0.0/8"), "unspecified"},
                                               {net("127.0.0.0/8"), "loopback"},
                                               {net("169.254.0.0/16"), "link-local"},
                                               {net("224.0.0.0/4"), "multicast"},
                                               {net("255.255.255.255/32"), "broadcast"},
                                               {net("240.0.0.0/4"), "reserved"},
                                               {net("::/8"), "loopback and reserved"},
                                               {net("fe80::/10"), "link-local"},
                                               {net("ff00::/8"), "multicast"}};
  return kNets;
}

/// For private use, carriers (shared), benchmarks and documentation: RFC 6890.
bool is_nobodys_ipv4(const IpNet& net) {
  const auto parse = [](const char* text) { return IpNet::parse(text).value(); };
  static const std::array kNets{parse("10.0.0.0/8"),      parse("172.16.0.0/12"),
                                parse("192.168.0.0/16"),  parse("100.64.0.0/10"),
                                parse("198.18.0.0/15"),   parse("192.0.2.0/24"),
                                parse("198.51.100.0/24"), parse("203.0.113.0/24")};
  return std::ranges::any_of(kNets, [&](const IpNet& known) { return known.contains(net); });
}

const IpNet* find_overlap(const std::vector<IpNet>& nets, const IpNet& net) {
  const auto found =
      std::ranges::find_if(nets, [&](const IpNet& other) { return other.overlaps(net); });
  return found == nets.end() ? nullptr : &*found;
}

/// Whether the list has networks of the family of `net`, and none of them contains `net`.
bool is_outside(const std::vector<IpNet>& nets, const IpNet& net) {
  const bool speaks_of_family = std::ranges::any_of(
      nets, [&](const IpNet& known) { return known.addr.family() == net.addr.family(); });
  return speaks_of_family &&
         std::ranges::none_of(nets, [&](const IpNet& known) { return known.contains(net); });
}

std::string why_special(const IpNet& net) {
  for (const auto& [special, what] : special_nets()) {
    if (special.overlaps(net)) return "overlaps " + special.str() + " (" + std::string(what) + ")";
  }
  return "";
}

}  // namespace

std::string why_no_pod_cidr(const IpNet& cidr, const ClusterRules& rules) {
  const std::string name = "PodCIDR " + cidr.str() + " ";
  const unsigned shortest = cidr.addr.is_v4() ? kShortestPrefix4 : kShortestPrefix6;
  if (cidr.prefix < shortest)
    return name + "is larger than a /" + std::to_string(shortest) +
           "; no node needs so many addresses";
  if (const auto special = why_special(cidr); !special.empty()) return name + special;
  if (is_outside(rules.cluster_cidrs, cidr))
    return name + "lies outside the pod networks " + joined(rules.cluster_cidrs) +
           " (--cluster-cidr)";
  if (const IpNet* services = find_overlap(rules.service_cidrs, cidr))
    return name + "overlaps the Service network " + services->str() + " (--service-cidr)";
  if (rules.service_host && cidr.contains(*rules.service_host))
    return name + "contains " + rules.service_host->str() +
           ", by which pods reach the API server (KUBERNETES_SERVICE_HOST)";
  return "";
}

std::string doubt_about_pod_cidr(const IpNet& cidr, const ClusterRules& rules) {
  if (!rules.cluster_cidrs.empty() || !is_public_ipv4(cidr)) return "";
  return "PodCIDR " + cidr.str() +
         " has public addresses, so pods cannot reach their owners in the internet; if that is "
         "meant, name the pod networks with --cluster-cidr";
}

std::string why_no_node_address(const IpAddr& address, const ClusterRules& rules) {
  const IpNet net{address, address.bits()};
  const std::string name = "InternalIP " + address.str() + " ";
  if (const auto special = why_special(net); !special.empty()) return name + special;
  if (is_outside(rules.node_cidrs, net))
    return name + "lies outside the nodes' networks " + joined(rules.node_cidrs) + " (--node-cidr)";
  return "";
}

std::optional<IpNet> pod_network_of(const IpAddr& address, const ClusterRules& rules) {
  const IpNet* found = find_overlap(rules.cluster_cidrs, {address, address.bits()});
  return found ? std::optional(*found) : std::nullopt;
}

bool is_public_ipv4(const IpNet& net) {
  return net.addr.is_v4() && why_special(net).empty() && !is_nobodys_ipv4(net);
}

std::string contradiction_in(const ClusterRules& rules) {
  for (const IpNet& pods : rules.cluster_cidrs) {
    if (const IpNet* services = find_overlap(rules.service_cidrs, pods))
      return "--cluster-cidr " + pods.str() + " overlaps --service-cidr " + services->str();
  }
  return "";
}

}  // namespace kubecni
