#pragma once

#include "doctor/finding.hpp"

#include <nlohmann/json.hpp>

namespace kubecni {

/// The doctor's findings, as `-o json` prints them.
nlohmann::json to_json(const Findings& findings);

/// Prints a line for each, with the remedy below.
void print_findings(const Findings& findings);

}  // namespace kubecni
