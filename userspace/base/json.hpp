#pragma once

#include "base/result.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>

// Reads JSON from untrusted writers: no function here throws, whatever the types are.
namespace kubecni {

/// Errors: EINVAL not JSON, with the place of the first mistake; or nested more
/// than 100 deep, since copying and printing such a value takes stack.
Result<nlohmann::json> parse_json(std::string_view text);

/// The member `key` of `value`; null if it is absent or `value` is not an object.
const nlohmann::json& member(const nlohmann::json& value, std::string_view key);

/// The same, found like Go's decoder does, for objects that Go clients write: `key` as it is, else
/// in other letter case (ASCII); null counts as absent.
const nlohmann::json& member_like_go(const nlohmann::json& value, std::string_view key);

/// The text of `value`; empty if it is not a string.
std::string text_of(const nlohmann::json& value);

/// The number in `value`; empty if it is not a number, negative, a fraction, or too large for an
/// unsigned.
std::optional<unsigned> unsigned_of(const nlohmann::json& value);

/// `value` in one line; bytes that are not UTF-8 are replaced.
std::string compact(const nlohmann::json& value);

/// `value` as a short piece of an error message.
std::string shown(const nlohmann::json& value);

}  // namespace kubecni
