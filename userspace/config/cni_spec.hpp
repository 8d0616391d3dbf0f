#pragma once

#include <array>
#include <string>
#include <string_view>

// Versions and names in the CNI specification.
namespace kubecni {

/// The versions of the specification that the plugin supports, oldest first.
inline constexpr std::array<std::string_view, 7> kSupportedVersions{
    "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

/// Whether `version` is `other` or later; both must be supported.
bool is_at_least(std::string_view version, std::string_view other);

/// Whether `id` may be a container id or a network name: at most 200 letters, digits, '_', '.' and
/// '-', the first of them a letter or digit. It becomes part of a file name.
bool is_cni_id(const std::string& id);

/// The rule for interface names, in words.
inline constexpr std::string_view kIfnameRule =
    "1 to 15 characters without '/', ':', '%' and blanks, and not \"all\" or \"default\"";

/// Whether the kernel accepts `name` for an interface, unchanged (it replaces "%d" by a number):
/// kIfnameRule, and neither "." nor "..".
bool is_ifname(const std::string& name);

}  // namespace kubecni
