#pragma once

#include "doctor/finding.hpp"

#include <nlohmann/json.hpp>

namespace kubecni {

/// What the doctor found, as `-o json` prints it.
nlohmann::json to_json(const Findings& findings);

/// For people, on standard output: a line each, and below it what to do.
void print_findings(const Findings& findings);

}  // namespace kubecni
