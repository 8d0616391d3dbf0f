// C27 and C30: the result, the kernel and the runtime's requests agree.

#include "base/mac.hpp"
#include "base/text.hpp"
#include "case.hpp"
#include "result_schema.hpp"

#include <algorithm>

namespace kubecni::cnicheck {

using nlohmann::json;

namespace {

bool has_address(const json& link, const IpNet& net) {
  return std::ranges::any_of(link.value("addr_info", json::array()), [&](const json& address) {
    return address.value("local", "") == net.addr.str() &&
           address.value("prefixlen", 0U) == net.prefix;
  });
}

/// `ip route` prints a host route without its prefix length, and "default".
std::string kernel_words(const IpNet& net) {
  if (net.prefix == 0) return "default";
  return net.prefix == net.addr.bits() ? net.addr.str() : net.str();
}

bool has_route(const json& routes, const json& wanted) {
  const auto dst = IpNet::parse(wanted.value("dst", ""));
  if (!dst) return false;
  const std::string gateway = wanted.value("gw", "");
  return std::ranges::any_of(routes, [&](const json& route) {
    if (route.value("dst", "") != kernel_words(*dst)) return false;
    const bool is_v6 = route.value("gateway", "").contains(':') || dst->addr.bits() == 128;
    return (gateway.empty() && is_v6 == (dst->addr.bits() == 128)) ||
           route.value("gateway", "") == gateway;
  });
}

void compare_interface(const json& told, const json& link, std::vector<std::string>& found) {
  if (link.is_null()) return found.push_back("the pod has no such interface");
  if (told.value("mac", "") != link.value("address", ""))
    found.push_back("mac " + told.value("mac", "") + " told, " + link.value("address", "") +
                    " set");
  if (told.contains("mtu") && told["mtu"] != link["mtu"])
    found.push_back("mtu " + told["mtu"].dump() + " told, " + link["mtu"].dump() + " set");
  const json flags = link.value("flags", json::array());
  if (std::ranges::find(flags, json("UP")) == flags.end()) found.push_back("the link is down");
}

void compare_gateways(const json& result, std::vector<std::string>& found) {
  for (const auto& ip : result.value("ips", json::array())) {
    const auto net = IpNet::parse(ip.value("address", ""));
    const auto gateway = IpAddr::parse(ip.value("gateway", ""));
    if (!net || !gateway) continue;
    if (*gateway == net->addr) found.push_back("the gateway is the pod's own address " + ip.dump());
    if (!net->contains(*gateway) && net->prefix != net->addr.bits())
      found.push_back("the gateway is outside the pod's network: " + ip.dump());
  }
}

/// Compares the result of 0.3.0 and later with the pod.
std::vector<std::string> compare(const Attachment& attachment, const KernelSnapshot& pod) {
  std::vector<std::string> found;
  const auto& [network, target, result, pod_fd, gone] = attachment;
  const json told = result_interface(result, target.ifname, target.netns);
  if (told.is_null())
    return {"no interface " + target.ifname + " with sandbox " + target.netns + " in " +
            result.dump()};
  const json link = pod.link(target.ifname);
  compare_interface(told, link, found);
  if (link.is_null()) return found;
  for (const auto& net : result_addresses(result))
    if (!has_address(link, net)) found.push_back("the pod has no address " + net.str());
  for (const auto& route : result.value("routes", json::array()))
    if (!has_route(pod.routes(), route)) found.push_back("the pod has no route " + route.dump());
  compare_gateways(result, found);
  return found;
}

Verdict result_is_true(Scenario& scenario) {
  if (!is_at_least(scenario.bench.network().cni_version, "0.3.0"))
    return not_applicable("a result before 0.3.0 names no interface");
  auto attached = scenario.attach();
  if (!attached) return fail(attached);
  auto pod = scenario.look_at(**attached);
  if (!pod) return fail(pod);
  if (const auto found = compare(**attached, *pod); !found.empty()) return failures(found);
  return "";
}

/// ADD with `wishes` must fail with code 2 or 7, or `honoured` must return true.
Result<> expect_honoured(
    Scenario& scenario, const json& wishes,
    const std::function<bool(const Attachment&, const KernelSnapshot&)>& honoured) {
  auto pod = scenario.new_pod();
  if (!pod) return fail(pod);
  const Target target{scenario.bench.next_name(), (*pod)->path()};
  auto chain = scenario.bench.runner().add(scenario.bench.network(), target, wishes);
  if (!chain) return fail(chain);
  Attachment* made =
      scenario.remember({scenario.bench.network(), target, chain->result, (*pod)->fd()});
  const std::string what = "ADD with runtimeConfig " + wishes.dump();
  if (!chain->end.succeeded()) {
    auto refused = expect_error(chain->end, {2, 7}, what);
    return refused ? Result<>() : fail(refused);
  }
  auto kernel = scenario.look_at(*made);
  if (!kernel) return fail(kernel);
  if (!honoured(*made, *kernel)) return unmet(what, "it honoured", chain->end.describe());
  return {};
}

Result<> try_address(Scenario& scenario) {
  const auto subnet = scenario.bench.network().subnet();
  if (!subnet) return not_applicable("the configuration names no subnet to choose an address from");
  const std::uint64_t size = std::uint64_t{1} << (32 - subnet->prefix);
  const IpNet wish{subnet->network().addr.plus(size - 3), subnet->prefix};
  return expect_honoured(scenario, {{"ips", {wish.str()}}},
                         [&](const Attachment& made, const KernelSnapshot& pod) {
                           const auto told = result_addresses(made.result);
                           return std::ranges::any_of(told, [&](const IpNet& net) {
                             return net.addr == wish.addr && has_address(pod.link("eth0"), net);
                           });
                         });
}

Result<> try_mac(Scenario& scenario) {
  const std::string wish = "0a:58:c6:33:64:07";
  return expect_honoured(scenario, {{"mac", wish}},
                         [&](const Attachment&, const KernelSnapshot& pod) {
                           return pod.link("eth0").value("address", "") == wish;
                         });
}

/// Only what the configuration declares a capability for, as runtimes do.
Verdict wishes_honoured(Scenario& scenario) {
  const Network& network = scenario.bench.network();
  std::string tried;
  std::vector<std::string> found;
  for (const auto& [capability, attempt] :
       {std::pair{"ips", &try_address}, std::pair{"mac", &try_mac}}) {
    if (!network.has_capability(capability)) continue;
    append_word(tried, capability);
    if (auto done = attempt(scenario); !done) found.push_back(done.error().what);
  }
  if (!found.empty()) return failures(found);
  if (tried.empty())
    return not_applicable("the configuration declares neither the capability \"ips\" nor \"mac\"");
  return tried;
}

constexpr Case kResultCases[] = {
    {"C27", "interface, MAC, MTU, addresses, routes and sandbox match the result", nullptr, nullptr,
     &result_is_true},
    {"C30", "a requested address or MAC is used, or is error 2 or 7", nullptr, nullptr,
     &wishes_honoured},
};

}  // namespace

std::span<const Case> result_cases() { return kResultCases; }

}  // namespace kubecni::cnicheck
