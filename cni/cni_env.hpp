#pragma once

#include "cni_error.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace kubecni {

/// The CNI_* variables of one call, CNI specification 1.1.0, section 2.
struct CniEnv {
  std::string command;
  std::string container_id;
  std::string netns;
  std::string ifname;
  std::string args;
  std::string path;  ///< CNI_PATH, for delegates

  /// "namespace/name" from CNI_ARGS, if the runtime gives them; for logs.
  [[nodiscard]] std::string pod() const;
  /// The value of `key` in CNI_ARGS ("KEY=value;..."); empty when absent.
  [[nodiscard]] std::string arg(std::string_view key) const;
};

/// Looks up one variable; nullptr when it is not set.
using GetEnv = std::function<const char*(const char* name)>;

/// Reads and checks what the command needs.
/// Errors: code 4, naming every variable that is missing or wrong.
CniResult<CniEnv> read_cni_env(const GetEnv& get);

}  // namespace kubecni
