#pragma once

#include "expect.hpp"
#include "scenario.hpp"

#include <span>

namespace kubecni::cnicheck {

/// One case of the list in docs/conformance.md. `run` gets a scenario of its own.
struct Case {
  const char* id;
  const char* title;
  const char* verb = nullptr;   ///< the required verb, if plugins may lack it
  const char* since = nullptr;  ///< the specification's version that introduced the verb
  Verdict (*run)(Scenario&);
};

std::span<const Case> protocol_cases();
std::span<const Case> version_cases();
std::span<const Case> input_cases();
std::span<const Case> add_cases();
std::span<const Case> result_cases();
std::span<const Case> crash_cases();
std::span<const Case> del_cases();
std::span<const Case> check_cases();
std::span<const Case> status_cases();
std::span<const Case> gc_cases();
std::span<const Case> chain_cases();

}  // namespace kubecni::cnicheck
