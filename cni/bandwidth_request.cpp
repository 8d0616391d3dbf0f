#include "base/json.hpp"
#include "requests.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace kubecni {

using nlohmann::json;

namespace {

const std::string kBandwidthKey = "runtimeConfig.bandwidth";

// As kubelet accepts them in a pod's annotations.
constexpr std::uint64_t kLeastRate = 1'000;
constexpr std::uint64_t kMostRate = 1'000'000'000'000'000;

// What runtimes give for a burst that nobody has set is this, or more: containerd 2^32 - 1. Taken
// as it is, a pod would begin with half a gigabyte at any rate.
constexpr std::uint64_t kUnsetBurst = 2'147'483'647;

std::unexpected<CniError> bad_value(const std::string& where, const json& value,
                                    const std::string& wanted) {
  return cni_error(CniCode::kInvalidConfig, "ADD: " + where + " is " + shown(value), wanted);
}

/// 0 if there is none.
CniResult<std::uint64_t> number_in(const json& bandwidth, const std::string& key,
                                   const char* wanted) {
  const json& value = member_like_go(bandwidth, key);
  if (value.is_null()) return 0;
  const auto* number = value.get_ptr<const json::number_unsigned_t*>();
  if (!number) return bad_value(kBandwidthKey + "." + key, value, wanted);
  return *number;
}

CniResult<std::optional<RateLimit>> limit_in(const json& bandwidth, const std::string& direction) {
  constexpr const char* kWantedRate =
      "give a whole number of bits per second, from 1000 (1k) to 10^15 (1P), or 0 for no limit";
  const std::string key = direction + "Rate";
  auto rate = number_in(bandwidth, key, kWantedRate);
  if (!rate) return std::unexpected(rate.error());
  auto burst = number_in(bandwidth, direction + "Burst", "give a whole number of bits");
  if (!burst) return std::unexpected(burst.error());
  if (*rate == 0) return std::nullopt;
  if (*rate < kLeastRate || *rate > kMostRate)
    return bad_value(kBandwidthKey + "." + key, *rate, kWantedRate);
  return RateLimit{.rate = *rate, .burst = *burst < kUnsetBurst ? *burst : 0};
}

}  // namespace

CniResult<Bandwidth> read_bandwidth(const json& runtime_config) {
  const json& bandwidth = member_like_go(runtime_config, "bandwidth");
  if (bandwidth.is_null()) return Bandwidth{};
  if (!bandwidth.is_object())
    return bad_value(kBandwidthKey, bandwidth, "give an object with ingressRate, egressRate");
  auto ingress = limit_in(bandwidth, "ingress");
  if (!ingress) return std::unexpected(ingress.error());
  auto egress = limit_in(bandwidth, "egress");
  if (!egress) return std::unexpected(egress.error());
  return Bandwidth{.ingress = *ingress, .egress = *egress};
}

}  // namespace kubecni
