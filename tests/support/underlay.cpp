#include "support/underlay.hpp"

#include "net/sysctl.hpp"

#include <sstream>

namespace kubecni::test {

namespace {

constexpr unsigned kRouter = 254;

constexpr const char* kNoPodsRules =
    "table inet underlay {"
    " counter leaked { };"
    " set carried4 { type ipv4_addr; flags interval; };"
    " set carried6 { type ipv6_addr; flags interval; };"
    " chain forward { type filter hook forward priority 0;"
    "  ip saddr @carried4 accept; ip6 saddr @carried6 accept;"
    "  ip saddr 10.200.0.0/16 counter name leaked drop;"
    "  ip6 saddr fd00:10::/32 counter name leaked drop; };"
    "}";

std::string family_option(int family) { return family == AF_INET ? "-4" : "-6"; }

std::vector<std::string> with_prefixes(Families families, unsigned segment, unsigned number) {
  std::vector<std::string> nets;
  for (const int family : list_of(families))
    nets.push_back(Underlay::address(segment, number, family).str() +
                   (family == AF_INET ? "/24" : "/64"));
  return nets;
}

}  // namespace

std::vector<int> list_of(Families families) {
  if (families == Families::kDual) return {AF_INET, AF_INET6};
  return {families == Families::kV4 ? AF_INET : AF_INET6};
}

IpAddr Underlay::address(unsigned segment, unsigned number, int family) {
  std::ostringstream text;
  if (family == AF_INET) {
    text << (segment == kOutside ? "203.0.113." : segment == 2 ? "198.51.100." : "192.0.2.");
    text << number;
  } else {
    text << "2001:db8:" << std::hex << segment << "::" << number;
  }
  return IpAddr::parse(text.str()).value();
}

IpAddr Underlay::router_address(unsigned segment, int family) {
  return address(segment, kRouter, family);
}

void route_by_default(const NetNs& netns, Families families, unsigned segment) {
  for (const int family : list_of(families))
    Node::must_run_in(netns, {"ip", family_option(family), "route", "add", "default", "via",
                              Underlay::address(segment, kRouter, family).str()});
}

Underlay::Underlay(Families families, unsigned segments) : families_(families) {
  router.enter([] {
    must(ensure_sysctl("net/ipv4/ip_forward", "1"));
    must(ensure_sysctl("net/ipv6/conf/all/forwarding", "1"));
  });
  Node::must_run_in(router, {"nft", kNoPodsRules});
  for (unsigned segment = 1; segment <= segments; ++segment) {
    const std::string name = segment == 1 ? "wire" : "wire" + std::to_string(segment);
    segments_.push_back(std::make_unique<Wire>(name));
  }
  outside_wire_.connect(outside, with_prefixes(families, kOutside, 9));
  connect_router(outside_wire_, kOutside, "out");
  route_by_default(outside, families, kOutside);
  for (unsigned segment = 1; segment <= segments; ++segment)
    connect_router(*segments_[segment - 1], segment, "eth" + std::to_string(segment - 1));
}

void Underlay::connect_router(Wire& wire, unsigned segment, const std::string& nic) const {
  wire.connect(router, with_prefixes(families_, segment, kRouter), nic);
}

std::string Underlay::connect(const NetNs& node, unsigned segment, unsigned number) {
  const std::string port = connect_also(node, segment, number, "eth0");
  route_by_default(node, families_, segment);
  return port;
}

std::string Underlay::connect_also(const NetNs& node, unsigned segment, unsigned number,
                                   const std::string& nic) {
  return segments_.at(segment - 1)->connect(node, with_prefixes(families_, segment, number), nic);
}

std::uint64_t Underlay::leaked() const {
  const auto counters = nlohmann::json::parse(
      Node::must_run_in(router, {"nft", "-j", "list", "counter", "inet", "underlay", "leaked"}));
  for (const auto& object : counters.at("nftables"))
    if (object.contains("counter")) return object["counter"]["packets"];
  throw std::runtime_error("no counter \"leaked\"");
}

void Underlay::carry(const std::string& pod_cidr, const IpAddr& node) const {
  const bool v4 = node.is_v4();
  Node::must_run_in(
      router, {"ip", family_option(node.family()), "route", "add", pod_cidr, "via", node.str()});
  Node::must_run_in(router, {"nft", "add", "element", "inet", "underlay",
                             v4 ? "carried4" : "carried6", "{ " + pod_cidr + " }"});
}

}  // namespace kubecni::test
