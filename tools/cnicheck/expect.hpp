#pragma once

#include "base/result.hpp"
#include "network.hpp"
#include "process.hpp"

#include <nlohmann/json.hpp>

#include <initializer_list>
#include <string>
#include <vector>

namespace kubecni::cnicheck {

/// The result of a case: a note for the report, which may be empty; or why it failed; or, as
/// ENOTSUP, why it does not apply.
using Verdict = Result<std::string>;

[[nodiscard]] std::unexpected<Error> not_applicable(std::string why);
/// The failure `what: expected EXPECTED, came CAME`.
[[nodiscard]] std::unexpected<Error> unmet(const std::string& what, const std::string& expected,
                                           const std::string& came);
/// Several findings of one case as one failure.
[[nodiscard]] std::unexpected<Error> failures(const std::vector<std::string>& found);

/// Exit status 0 and no output, as DEL, CHECK, STATUS and GC must end.
Result<> expect_silent_success(const ProcessEnd& end, const std::string& what);

/// An exit status other than 0, and on standard output one error object of the specification with
/// one of `codes` (any if none are given). Returns the object.
Result<nlohmann::json> expect_error(const ProcessEnd& end, std::initializer_list<unsigned> codes,
                                    const std::string& what);

/// Exit status 0, and on standard output one result in the shape of `version`.
Result<nlohmann::json> expect_result(const ProcessEnd& end, const std::string& version,
                                     const std::string& what);

/// The texts joined by "; ", a long list cut short.
std::string joined(const std::vector<std::string>& texts);

}  // namespace kubecni::cnicheck
