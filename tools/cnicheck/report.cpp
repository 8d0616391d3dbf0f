#include "report.hpp"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>
#include <vector>

namespace kubecni::cnicheck {

using nlohmann::json;

namespace {

const char* word(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPass:
      return "pass";
    case Outcome::kFail:
      return "fail";
    case Outcome::kNotApplicable:
      return "n/a";
  }
  return "";
}

class Counts {
 public:
  void add(const CaseReport& report) { ++counts_[report.outcome]; }
  [[nodiscard]] unsigned of(Outcome outcome) const {
    const auto found = counts_.find(outcome);
    return found == counts_.end() ? 0 : found->second;
  }
  [[nodiscard]] unsigned all() const {
    return of(Outcome::kPass) + of(Outcome::kFail) + of(Outcome::kNotApplicable);
  }

 private:
  std::map<Outcome, unsigned> counts_;
};

class TextPrinter : public Printer {
 public:
  explicit TextPrinter(std::string plugin) : plugin_(std::move(plugin)) {}

  void add(const CaseReport& report) override {
    counts_.add(report);
    std::cout << report.id << "  " << std::left << std::setw(5) << word(report.outcome) << "  "
              << report.title;
    if (!report.detail.empty() && report.outcome == Outcome::kPass)
      std::cout << " (" << report.detail << ")";
    else if (!report.detail.empty())
      std::cout << "\n           " << report.detail;
    std::cout << "\n" << std::flush;
  }
  void finish() override {
    std::cout << plugin_ << ": " << counts_.all() << " cases, " << counts_.of(Outcome::kPass)
              << " pass, " << counts_.of(Outcome::kFail) << " fail, "
              << counts_.of(Outcome::kNotApplicable) << " n/a" << "\n"
              << std::flush;
  }

 private:
  std::string plugin_;
  Counts counts_;
};

class JsonPrinter : public Printer {
 public:
  explicit JsonPrinter(const std::string& plugin)
      : all_{{"plugin", plugin}, {"cases", json::array()}} {}

  void add(const CaseReport& report) override {
    counts_.add(report);
    all_["cases"].push_back({{"id", report.id},
                             {"title", report.title},
                             {"outcome", word(report.outcome)},
                             {"detail", report.detail},
                             {"ms", report.took.count()}});
  }
  void finish() override {
    for (const auto outcome : {Outcome::kPass, Outcome::kFail, Outcome::kNotApplicable})
      all_["counts"][word(outcome)] = counts_.of(outcome);
    // A plugin's output may not be UTF-8.
    std::cout << all_.dump(2, ' ', false, json::error_handler_t::replace) << "\n" << std::flush;
  }

 private:
  json all_;
  Counts counts_;
};

/// Text for XML 1.0, which has no way to write most control characters.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += byte < ' ' || byte > '~' ? '?' : c;
  }
  return out;
}

class JunitPrinter : public Printer {
 public:
  explicit JunitPrinter(std::string plugin) : plugin_(std::move(plugin)) {}

  void add(const CaseReport& report) override {
    counts_.add(report);
    body_ << "  <testcase classname=\"cnicheck." << escaped(plugin_) << "\" name=\"" << report.id
          << " " << escaped(report.title) << "\" time=\""
          << static_cast<double>(report.took.count()) / 1000 << "\"";
    if (report.outcome == Outcome::kPass)
      body_ << "/>\n";
    else
      body_ << ">\n    <" << (report.outcome == Outcome::kFail ? "failure" : "skipped")
            << " message=\"" << escaped(report.detail) << "\"/>\n  </testcase>\n";
  }
  void finish() override {
    std::cout << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"cnicheck "
              << escaped(plugin_) << "\" tests=\"" << counts_.all() << "\" failures=\""
              << counts_.of(Outcome::kFail) << "\" skipped=\""
              << counts_.of(Outcome::kNotApplicable) << "\">\n"
              << body_.str() << "</testsuite>" << "\n"
              << std::flush;
  }

 private:
  std::string plugin_;
  Counts counts_;
  std::ostringstream body_;
};

}  // namespace

CaseReport make_report(const std::string& id, const std::string& title, const Verdict& verdict,
                       std::chrono::milliseconds took) {
  if (verdict) return {id, title, Outcome::kPass, *verdict, took};
  const bool skipped = verdict.error().code == ENOTSUP;
  return {id, title, skipped ? Outcome::kNotApplicable : Outcome::kFail, verdict.error().what,
          took};
}

std::unique_ptr<Printer> make_printer(const std::string& format, const std::string& plugin) {
  if (format == "json") return std::make_unique<JsonPrinter>(plugin);
  if (format == "junit") return std::make_unique<JunitPrinter>(plugin);
  return std::make_unique<TextPrinter>(plugin);
}

}  // namespace kubecni::cnicheck
