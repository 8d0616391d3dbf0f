#pragma once

#include "base/result.hpp"

#include <nlohmann/json.hpp>

#include <expected>
#include <string>

namespace kubecni {

/// Error codes of the CNI specification 1.1.0, section "Error", and ours.
enum class CniCode : unsigned {
  kIncompatibleVersion = 1,
  kUnsupportedField = 2,
  kUnknownContainer = 3,
  kInvalidEnvironment = 4,
  kIo = 5,
  kDecode = 6,
  kInvalidConfig = 7,
  kInvalidNetns = 8,  // from the reference library, not the specification
  kTryAgainLater = 11,
  kNotAvailable = 50,      // STATUS only: ADD would fail
  kPodsLimited = 51,       // STATUS only: running pods are limited, too
  kCheckDifference = 100,  // ours: CHECK found differences
  kSystem = 101,           // ours: the system refused a step
};

/// A verb's failure as the runtime gets it, on standard output.
struct CniError {
  CniCode code;
  std::string msg;
  std::string details;

  [[nodiscard]] nlohmann::json to_json(const std::string& cni_version) const;
};

template <typename T = void>
using CniResult = std::expected<T, CniError>;

[[nodiscard]] std::unexpected<CniError> cni_error(CniCode code, std::string msg,
                                                  std::string details = "");

/// Code 7: the value of `key` in the configuration is not `wanted`.
[[nodiscard]] std::unexpected<CniError> wrong_value(const std::string& key,
                                                    const nlohmann::json& value,
                                                    const std::string& wanted);

/// The error of a library call: `verb` is what the runtime asked for.
[[nodiscard]] std::unexpected<CniError> cni_error(const Error& error, const std::string& verb,
                                                  CniCode code = CniCode::kSystem);

}  // namespace kubecni
