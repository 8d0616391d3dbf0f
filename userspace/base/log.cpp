#include "base/log.hpp"

// spdlog's name of the third level is "warning".
#define SPDLOG_LEVEL_NAMES {"trace", "debug", "info", "warn", "error", "critical", "off"}
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>

namespace kubecni::log {

namespace {

std::string in_quotes(std::string_view value) {
  const auto is_control = [](unsigned char c) { return c < ' ' || c == 0x7f; };
  if (!value.empty() && value.find_first_of(" \"=") == std::string_view::npos &&
      std::ranges::none_of(value, is_control))
    return std::string(value);
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += is_control(static_cast<unsigned char>(c)) ? ' ' : c;
  }
  return text + "\"";
}

void write(spdlog::level::level_enum level, std::string_view msg, Fields fields) {
  if (!spdlog::should_log(level)) return;
  std::string line = "msg=" + in_quotes(msg);
  for (const auto& [key, value] : fields)
    line.append(" ").append(key).append("=").append(in_quotes(value));
  spdlog::log(level, FMT_STRING("{}"), line);
}

}  // namespace

Result<> start(std::string_view program, std::string_view level) {
  const auto parsed = level == "error"   ? spdlog::level::err
                      : level == "warn"  ? spdlog::level::warn
                      : level == "info"  ? spdlog::level::info
                      : level == "debug" ? spdlog::level::debug
                                         : spdlog::level::off;
  if (parsed == spdlog::level::off)
    return failure(EINVAL, "log level \"" + std::string(level) +
                               "\" is unknown; it is one of error, warn, info, debug");
  auto logger = std::make_shared<spdlog::logger>(std::string(program),
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("time=%Y-%m-%dT%H:%M:%S.%eZ level=%l program=%n %v",
                      spdlog::pattern_time_type::utc);
  logger->set_level(parsed);
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
  return {};
}

void error(std::string_view msg, Fields fields) { write(spdlog::level::err, msg, fields); }
void warn(std::string_view msg, Fields fields) { write(spdlog::level::warn, msg, fields); }
void info(std::string_view msg, Fields fields) { write(spdlog::level::info, msg, fields); }
void debug(std::string_view msg, Fields fields) { write(spdlog::level::debug, msg, fields); }

}  // namespace kubecni::log
