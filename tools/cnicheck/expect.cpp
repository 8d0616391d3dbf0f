#include "expect.hpp"

#include "result_schema.hpp"

#include <algorithm>
#include <cerrno>

namespace kubecni::cnicheck {

using nlohmann::json;

namespace {

constexpr std::size_t kShownFindings = 20;

/// What is wrong with an error object; empty if nothing.
std::string error_problem(const json& error) {
  if (!error.is_object()) return "one JSON object";
  if (!error.contains("code") || !error["code"].is_number_unsigned()) return "a numeric \"code\"";
  if (!error.contains("msg") || !error["msg"].is_string() ||
      error["msg"].get_ref<const std::string&>().empty())
    return "a non-empty \"msg\"";
  for (const char* key : {"cniVersion", "details"})
    if (error.contains(key) && !error[key].is_string()) return std::string(key) + " as text";
  return "";
}

}  // namespace

std::unexpected<Error> not_applicable(std::string why) { return failure(ENOTSUP, std::move(why)); }

std::unexpected<Error> unmet(const std::string& what, const std::string& expected,
                             const std::string& came) {
  return failure(EPROTO, what + ": expected " + expected + ", came " + came);
}

std::unexpected<Error> failures(const std::vector<std::string>& found) {
  return failure(EPROTO, joined(found));
}

Result<> expect_silent_success(const ProcessEnd& end, const std::string& what) {
  if (!end.succeeded()) return unmet(what, "exit status 0", end.describe());
  if (!end.out.empty()) return unmet(what, "nothing on stdout", end.describe());
  return {};
}

Result<json> expect_error(const ProcessEnd& end, std::initializer_list<unsigned> codes,
                          const std::string& what) {
  std::string wanted = "an error";
  for (const unsigned code : codes)
    wanted += (wanted == "an error" ? " with code " : " or ") + std::to_string(code);
  if (end.succeeded() || end.timed_out || end.status >= 128)
    return unmet(what, wanted, end.describe());
  json error = json::parse(end.out, nullptr, false);
  if (const std::string problem = error_problem(error); !problem.empty())
    return unmet(what, problem + " on stdout", end.describe());
  if (codes.size() != 0 && std::ranges::find(codes, error["code"].get<unsigned>()) == codes.end())
    return unmet(what, wanted, end.describe());
  return error;
}

Result<json> expect_result(const ProcessEnd& end, const std::string& version,
                           const std::string& what) {
  if (!end.succeeded()) return unmet(what, "success", end.describe());
  json result = json::parse(end.out, nullptr, false);
  if (!result.is_object()) return unmet(what, "one JSON object on stdout", end.describe());
  if (const auto problems = schema_problems(result, version); !problems.empty())
    return unmet(what, "a result of " + version, joined(problems) + " in " + result.dump());
  return result;
}

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (std::size_t i = 0; i < texts.size() && i < kShownFindings; ++i)
    all += (i == 0 ? "" : "; ") + texts[i];
  if (texts.size() > kShownFindings)
    all += "; and " + std::to_string(texts.size() - kShownFindings) + " more";
  return all;
}

}  // namespace kubecni::cnicheck
