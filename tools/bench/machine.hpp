#pragma once

#include <string>
#include <utility>
#include <vector>

namespace kubecni::bench {

/// The conditions that figures depend on besides the software, by name: date, kernel, CPU, cores,
/// load. Call it before measuring, so that the load is that of other programs.
std::vector<std::pair<std::string, std::string>> machine_facts();

}  // namespace kubecni::bench
