#include "findings.hpp"

#include <iomanip>
#include <iostream>

namespace kubecni {

using nlohmann::json;

json to_json(const Findings& findings) {
  json list = json::array();
  for (const Finding& finding : findings)
    list.push_back({{"subject", finding.subject},
                    {"verdict", name_of(finding.verdict)},
                    {"found", finding.found},
                    {"remedy", finding.remedy}});
  return list;
}

void print_findings(const Findings& findings) {
  constexpr int kVerdictWidth = 9;
  constexpr int kSubjectWidth = 14;
  std::cout << std::left;
  for (const Finding& finding : findings) {
    std::cout << std::setw(kVerdictWidth) << name_of(finding.verdict) << std::setw(kSubjectWidth)
              << finding.subject << finding.found << "\n";
    if (!finding.remedy.empty())
      std::cout << std::setw(kVerdictWidth + kSubjectWidth) << "" << "do: " << finding.remedy
                << "\n";
  }
}

}  // namespace kubecni
