#pragma once

#include <string>
#include <utility>
#include <vector>

namespace kubecni::bench {

/// What a figure depends on besides the software, by name: date, kernel, CPU,
/// cores, load. Call it before measuring: the load is that of others.
std::vector<std::pair<std::string, std::string>> machine_facts();

}  // namespace kubecni::bench
