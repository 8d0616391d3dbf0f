#pragma once

#include "base/result.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>

// Reading JSON that strangers wrote: no function here throws, whatever the types are.
namespace kubecni {

/// Errors: EINVAL not JSON, with the place of the first mistake; or nested more
/// than 100 deep, since copying and printing such a value takes stack.
Result<nlohmann::json> parse_json(std::string_view text);

/// The member `key` of `value`; null when it is absent or `value` is no object.
const nlohmann::json& member(const nlohmann::json& value, std::string_view key);

/// The same as Go's decoder finds it, for objects that Go clients write: `key` as
/// it is, else in other letter case (ASCII); null counts as absent.
const nlohmann::json& member_like_go(const nlohmann::json& value, std::string_view key);

/// The text of `value`; empty when it is no string.
std::string text_of(const nlohmann::json& value);

/// The number that `value` is; empty when it is none, or negative, a fraction, or
/// too large for an unsigned.
std::optional<unsigned> unsigned_of(const nlohmann::json& value);

/// `value` in one line; bytes that are no UTF-8 are replaced.
std::string compact(const nlohmann::json& value);

/// `value` as a short piece of an error message.
std::string shown(const nlohmann::json& value);

}  // namespace kubecni
