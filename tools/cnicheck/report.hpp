#pragma once

#include "expect.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace kubecni::cnicheck {

enum class Outcome { kPass, kFail, kNotApplicable };

/// The result of one case.
struct CaseReport {
  std::string id, title;
  Outcome outcome = Outcome::kPass;
  std::string detail;  ///< expected and actual, or why not, or a note
  std::chrono::milliseconds took{};
};

CaseReport make_report(const std::string& id, const std::string& title, const Verdict& verdict,
                       std::chrono::milliseconds took);

/// Prints the results of the cases to standard output, in one format.
class Printer {
 public:
  virtual ~Printer() = default;
  virtual void add(const CaseReport& report) = 0;
  /// After the last case.
  virtual void finish() = 0;
};

/// `format` is "text" (a line a case, at once), "json" or "junit" (at the end).
std::unique_ptr<Printer> make_printer(const std::string& format, const std::string& plugin);

}  // namespace kubecni::cnicheck
