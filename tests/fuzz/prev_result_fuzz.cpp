// A result: the prevResult of a configuration, or what an IPAM plugin answers.

#include "addressing.hpp"
#include "base/json.hpp"
#include "fuzz.hpp"
#include "result_shape.hpp"

using namespace kubecni;
using fuzz::require;
using nlohmann::json;

namespace {

void check_each_version(const json& result) {
  for (const auto version : kSupportedVersions) {
    const auto older = result_for_version(result, version);
    if (!older) {
      require(!is_at_least(version, "0.3.0"), "versions since 0.3.0 can say every result");
      continue;
    }
    require((*older)["cniVersion"] == version, "a result has the version that was asked for");
    require(upgrade_result(*older).has_value(), "and can be read by the next plugin");
  }
}

void check_addressing(const json& result) {
  NetConf conf;
  conf.ipam.type = "ipam";
  const auto addressing = addressing_of(result, conf);
  if (!addressing) return;
  require(!addressing->addresses.empty(), "a pod has an address");
  for (const PodAddress& address : addressing->addresses)
    require(address.gateway != address.net.addr, "that is not its gateway's");
  for (const PodRoute& route : addressing->routes)
    require(route.dst == route.dst.network(), "a route leads to a network");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = parse_json(fuzz::text_from(data, size));
  if (!parsed) return 0;

  const auto result = upgrade_result(*parsed);

  if (!result) {
    require(!result.error().what.empty(), "a refusal says why");
    return 0;
  }
  const auto again = upgrade_result(*result);
  require(again && *again == *result, "a result in the shape of 1.1.0 stays as it is");
  check_each_version(*result);
  check_addressing(*result);
  return 0;
}
