#pragma once

#include <nlohmann/json.hpp>

namespace kubecni {

/// Prints the result of collect_policy() to standard output, as text.
void print_policy(const nlohmann::json& policy);
/// The same for ask_policy().
void print_policy_answer(const nlohmann::json& answer);

}  // namespace kubecni
