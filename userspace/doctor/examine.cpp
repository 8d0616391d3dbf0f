#include "doctor/examine.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace kubecni {

namespace {

/// What the verifier says has many.
void make_one_line(std::string& text) {
  while (text.ends_with('\n')) text.pop_back();
  std::ranges::replace(text, '\n', ' ');
}

}  // namespace

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "ok";
    case Verdict::kLimited:
      return "limited";
    case Verdict::kMissing:
      return "missing";
    case Verdict::kUnknown:
      break;
  }
  return "unknown";
}

Findings examine_machine(const std::filesystem::path& bpffs) {
  Findings all;
  for (Findings part :
       {examine_kernel(), examine_programs(bpffs), try_devices_and_rules(), examine_node()})
    std::ranges::move(part, std::back_inserter(all));
  for (Finding& finding : all) make_one_line(finding.found);
  return all;
}

}  // namespace kubecni
