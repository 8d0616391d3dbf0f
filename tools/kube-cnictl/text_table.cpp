#include "text_table.hpp"

#include <algorithm>
#include <iomanip>
#include <iostream>

namespace kubecni {

using nlohmann::json;

void print_table(const Row& header, const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(header.size(), 0);
  const auto measure = [&](const Row& row) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  };
  const auto print = [&](const Row& row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i + 1 == row.size())
        std::cout << row[i];
      else
        std::cout << std::left << std::setw(static_cast<int>(widths[i]) + 2) << row[i];
    }
    std::cout << '\n';
  };
  measure(header);
  std::ranges::for_each(rows, measure);
  print(header);
  std::ranges::for_each(rows, print);
}

std::string cell(const json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>().empty() ? "-" : value;
  if (value.is_boolean()) return value ? "yes" : "no";
  if (value == 0) return "-";
  return value.dump();
}

std::string joined(const json& texts) {
  std::string all;
  for (const json& text : texts) all += (all.empty() ? "" : "; ") + text.get<std::string>();
  return all;
}

}  // namespace kubecni
