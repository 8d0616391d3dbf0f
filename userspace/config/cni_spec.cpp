#include "config/cni_spec.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace kubecni {

namespace {
constexpr std::size_t kMaxIdLength = 200;
constexpr std::size_t kMaxIfnameLength = 15;  // IFNAMSIZ without the final NUL
}  // namespace

bool is_at_least(std::string_view version, std::string_view other) {
  return std::ranges::find(kSupportedVersions, version) >=
         std::ranges::find(kSupportedVersions, other);
}

bool is_cni_id(const std::string& id) {
  return !id.empty() && id.size() <= kMaxIdLength &&
         std::isalnum(static_cast<unsigned char>(id.front())) &&
         std::ranges::all_of(id, [](unsigned char c) {
           return std::isalnum(c) || c == '_' || c == '.' || c == '-';
         });
}

bool is_ifname(const std::string& name) {
  // The last two are folders of settings below /proc/sys/net.
  constexpr std::array<std::string_view, 4> kReserved{".", "..", "all", "default"};
  return !name.empty() && name.size() <= kMaxIfnameLength &&
         std::ranges::find(kReserved, name) == kReserved.end() &&
         std::ranges::none_of(name, [](unsigned char c) {
           return c == '/' || c == ':' || c == '%' || std::isspace(c) || !std::isprint(c);
         });
}

}  // namespace kubecni
