#pragma once

#include <nlohmann/json.hpp>

namespace kubecni {

// Prints the results of collect_*() to standard output, as text.

void print_status(const nlohmann::json& status);
void print_endpoints(const nlohmann::json& endpoints);
void print_nodes(const nlohmann::json& nodes);
/// Without `all`, reasons that never occurred are left out.
void print_counters(const nlohmann::json& counters, bool all);

}  // namespace kubecni
