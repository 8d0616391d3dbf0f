#include "daemon_report.hpp"

#include "base/json.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <string>

namespace kubecni {

using nlohmann::json;

namespace {

using Check = std::function<bool(const json&)>;

bool is_text(const json& value) { return value.is_string(); }
bool is_number(const json& value) { return value.is_number_unsigned(); }
bool is_flag(const json& value) { return value.is_boolean(); }

Check list_of(Check entry) {
  return [entry = std::move(entry)](const json& value) {
    return value.is_array() && std::ranges::all_of(value, entry);
  };
}

bool is_node(const json& value) {
  constexpr std::array kTexts{"name", "podCIDR", "kind", "nextHop", "device", "why"};
  return is_number(member(value, "mtu")) &&
         std::ranges::all_of(kTexts, [&](const char* key) { return is_text(member(value, key)); });
}

bool is_skipped(const json& value) {
  return is_text(member(value, "name")) && is_text(member(value, "reason"));
}

bool is_warning(const json& value) {
  return is_text(member(value, "name")) && is_text(member(value, "text"));
}

bool is_cni(const json& value) {
  constexpr std::array kTexts{"list", "pending", "cniVersion"};
  return std::ranges::all_of(kTexts,
                             [&](const char* key) { return is_text(member(value, key)); }) &&
         is_flag(member(value, "hasList")) && list_of(is_text)(member(value, "plugins")) &&
         list_of(is_text)(member(value, "warnings"));
}

}  // namespace

Result<json> parse_daemon_report(std::string_view text) {
  static const std::pair<const char*, Check> kKeys[] = {
      {"pid", is_number},
      {"nodeName", is_text},
      {"known", is_flag},
      {"podCIDRs", list_of(is_text)},
      {"mtu", is_number},
      {"source", is_text},
      {"sourceError", is_text},
      {"metrics", is_text},
      {"dataplane", is_text},
      {"fallbackReason", is_text},
      {"wires", list_of(is_text)},
      {"nodes", list_of(is_node)},
      {"skipped", list_of(is_skipped)},
      {"warnings", list_of(is_warning)},
      {"errors", list_of(is_text)},
      {"tunnelChecksumOffload", is_text},
      {"noConntrackReason", is_text},
      {"cni", is_cni},
  };
  auto report = parse_json(text);
  if (!report) return failure(EBADMSG, "damaged: " + report.error().what);
  for (const auto& [key, is_well_formed] : kKeys) {
    if (!is_well_formed(member(*report, key)))
      return failure(EBADMSG, std::string("damaged: \"") + key + "\" is " +
                                  shown(member(*report, key)) + "; kube-cnid writes it anew");
  }
  return report;
}

}  // namespace kubecni
