#pragma once

#include "base/result.hpp"

#include <initializer_list>
#include <string>
#include <string_view>

namespace kubecni::log {

/// One `key=value` of a log line. Values with spaces are quoted.
struct Field {
  std::string_view key;
  std::string value;
};
using Fields = std::initializer_list<Field>;

/// Writes lines of at least `level` ("error", "warn", "info", "debug") to standard error, each
/// marked with `program`. Errors: EINVAL no such level.
Result<> start(std::string_view program, std::string_view level);

// error: an operator must act; warn: we went on without it; info: state
// changed; debug: the rest. Nothing per packet, nothing per unchanged resync.
void error(std::string_view msg, Fields fields = {});
void warn(std::string_view msg, Fields fields = {});
void info(std::string_view msg, Fields fields = {});
void debug(std::string_view msg, Fields fields = {});

}  // namespace kubecni::log
