#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace kubecni::bench {

/// How large one program is.
struct ProgCounts {
  std::string variant;  ///< "asks conntrack" or "does not ask": see load_programs()
  std::string program;
  std::uint64_t instructions = 0;  ///< in the object, so the compiler's; on every kernel the same
  std::uint64_t verified = 0;      ///< instructions that the verifier looked at; by kernel
  std::uint64_t xlated = 0;        ///< bytes, after the verifier; by kernel
  std::uint64_t jited = 0;         ///< bytes of machine code; by kernel, CPU and its mitigations
};

/// Loads both variants of the programs, with maps of their own, and counts. A variant that this
/// kernel does not load is left out. Needs root.
Result<std::vector<ProgCounts>> count_programs();

/// "6.18" of "6.18.44-fc".
std::string kernel_series(const std::string& release);
/// That of the running kernel.
std::string kernel_series();

}  // namespace kubecni::bench
