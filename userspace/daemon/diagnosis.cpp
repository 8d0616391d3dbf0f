#include "daemon/diagnosis.hpp"

#include "base/log.hpp"
#include "doctor/examine.hpp"

namespace kubecni {

void log_diagnosis(const std::filesystem::path& bpffs) {
  for (const Finding& finding : examine_machine(bpffs)) {
    if (finding.verdict == Verdict::kOk) continue;
    log::warn("diagnosis", {{"subject", finding.subject},
                            {"verdict", name_of(finding.verdict)},
                            {"found", finding.found},
                            {"do", finding.remedy}});
  }
}

}  // namespace kubecni
