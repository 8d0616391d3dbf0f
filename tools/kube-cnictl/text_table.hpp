#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace kubecni {

using Row = std::vector<std::string>;

/// Prints columns that are as wide as their longest cell; the last one is not padded.
void print_table(const Row& header, const std::vector<Row>& rows);

/// The value as text; "-" if it is empty or 0.
std::string cell(const nlohmann::json& value);

/// "a; b"
std::string joined(const nlohmann::json& texts);

}  // namespace kubecni
