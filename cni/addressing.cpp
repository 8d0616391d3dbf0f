#include "addressing.hpp"

#include "base/json.hpp"

#include <sys/socket.h>

#include <algorithm>

namespace kubecni {

using nlohmann::json;

namespace {

/// The gateway of the first address of the family that has one.
std::optional<IpAddr> gateway_of(const std::vector<PodAddress>& addresses, int family) {
  const auto found = std::ranges::find_if(addresses, [&](const PodAddress& address) {
    return address.net.addr.family() == family && address.gateway;
  });
  return found == addresses.end() ? std::nullopt : found->gateway;
}

bool is_default(const PodRoute& route) { return route.dst.prefix == 0; }

CniResult<> add_default_routes(const NetConf& conf, Addressing& addressing) {
  if (conf.is_default_gateway == false) return {};
  for (const int family : {AF_INET, AF_INET6}) {
    const auto gateway = gateway_of(addressing.addresses, family);
    const IpNet everywhere{IpAddr::any(family), 0};
    if (gateway &&
        std::ranges::find(addressing.routes, everywhere, &PodRoute::dst) == addressing.routes.end())
      addressing.routes.push_back({everywhere, *gateway});
  }
  if (conf.is_default_gateway == true && std::ranges::none_of(addressing.routes, is_default))
    return cni_error(CniCode::kInvalidConfig,
                     "ADD: \"isDefaultGateway\": true, but no address of the pod has a gateway",
                     "let ipam name one, or leave the key out");
  return {};
}

/// In mode ptp nobody else of the subnet is on the pod's link: it reaches them by the gateway.
CniResult<> add_address(const NetConf& conf, const IpNet& net, const std::optional<IpAddr>& gateway,
                        Addressing& addressing) {
  addressing.addresses.push_back({net, gateway});
  if (conf.mode != PodMode::kPtp) return {};
  if (!gateway)
    return cni_error(CniCode::kInvalidConfig,
                     "ADD: address " + net.str() +
                         " has no gateway, and in \"mode\" \"ptp\" the "
                         "pod reaches nothing without one",
                     "let ipam name one, or give the subnet more than one address");
  const IpNet subnet = net.network();
  const bool is_new =
      std::ranges::find(addressing.routes, subnet, &PodRoute::dst) == addressing.routes.end();
  if (subnet.prefix < net.addr.bits() && is_new) addressing.routes.push_back({subnet, *gateway});
  return {};
}

/// The gateway that `ip` names, or the bridge's address if the bridge is the gateway.
std::optional<IpAddr> gateway_for(const json& ip, const IpNet& net, bool is_gateway) {
  if (const auto given = IpAddr::parse(text_of(member(ip, "gateway")))) return given;
  if (!is_gateway || net.prefix + 2 > net.addr.bits()) return std::nullopt;
  return net.network().addr.plus(1);
}

}  // namespace

CniResult<Addressing> addressing_of(const Lease& lease, const NodeSettings& node,
                                    const NetConf& conf) {
  Addressing addressing;
  for (const IpAddr& address : lease.addresses) {
    const Pool& pool = *find_pool(node.pool_sets, address);
    const IpNet net{address, pool.subnet().prefix};
    if (auto added = add_address(conf, net, pool.gateway(), addressing); !added)
      return std::unexpected(added.error());
  }
  if (auto added = add_default_routes(conf, addressing); !added)
    return std::unexpected(added.error());
  return addressing;
}

CniResult<Addressing> addressing_of(const json& ipam_result, const NetConf& conf) {
  const auto wrong = [&](const std::string& why) {
    return cni_error(CniCode::kInvalidConfig, "ADD: ipam " + conf.ipam.type + ": " + why);
  };
  Addressing addressing{.dns = ipam_result["dns"]};
  for (const json& ip : ipam_result["ips"]) {
    const IpNet net = IpNet::parse(text_of(ip["address"])).value();
    const auto gateway = gateway_for(ip, net, conf.is_gateway);
    if (gateway == net.addr)
      return wrong("the pod was given " + net.addr.str() + ", which is its gateway");
    if (auto added = add_address(conf, net, gateway, addressing); !added)
      return std::unexpected(added.error());
  }
  if (addressing.addresses.empty()) return wrong("the result has no address");
  for (const json& route : ipam_result["routes"]) {
    const IpNet dst = IpNet::parse(text_of(route["dst"])).value();
    const auto given = IpAddr::parse(text_of(member(route, "gw")));
    const auto gateway = given ? given : gateway_of(addressing.addresses, dst.addr.family());
    if (!gateway) return wrong("the route to " + dst.str() + " has no gateway");
    addressing.routes.push_back({dst.network(), *gateway});
  }
  if (auto added = add_default_routes(conf, addressing); !added)
    return std::unexpected(added.error());
  return addressing;
}

}  // namespace kubecni
