#pragma once

#include "bench/cni_report.hpp"
#include "bench/path_bench.hpp"

#include <nlohmann/json.hpp>

#include <iosfwd>
#include <string>
#include <vector>

namespace kubecni::bench {

/// A row relative to another one.
struct PathRatios {
  double rate = 0;
  double cpu = 0;  ///< of the CPU time for each byte, transaction or packet
};
/// Relative to the candidate `other` in the same group, work and cores; zeros if `rows` has no such
/// row. Pure.
PathRatios ratios_to(const std::string& other, const PathRow& row,
                     const std::vector<PathRow>& rows);

void print_markdown(std::ostream& out, const Facts& facts, const std::vector<PathRow>& rows);
nlohmann::json to_json(const Facts& facts, const std::vector<PathRow>& rows);
/// A line for each row, with a head.
void print_csv(std::ostream& out, const std::vector<PathRow>& rows);

/// A script for gnuplot that prints a chart as SVG: for each group a bar for each candidate and
/// work, the CPU time on one core divided by that of the reference.
std::string gnuplot_script(const std::vector<PathRow>& rows);

}  // namespace kubecni::bench
