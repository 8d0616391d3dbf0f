#pragma once

#include "cni_env.hpp"
#include "cni_error.hpp"
#include "net_conf.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>

namespace kubecni {

/// The IPAM plugin that `"ipam": {"type": ...}` names, executed as CNI
/// specification 1.1.0, section 4 has it: found in CNI_PATH, with our
/// environment and the complete configuration, its standard error ours. An error
/// of the plugin comes back with its own code.
///
/// A plugin that refuses the configuration's cniVersion is asked again in the
/// highest version that both know: Debian's host-local knows 1.0.0, and a
/// cluster's list may well be of 1.1.0.
class Delegate {
 public:
  /// Errors: code 7 no such plugin in CNI_PATH; 4 there is no CNI_PATH.
  static CniResult<Delegate> find(const CniEnv& env, const NetConf& conf);

  /// Its result in the shape of 1.1.0. Errors: also code 101 the result cannot be read.
  CniResult<nlohmann::json> add() const;
  CniResult<> del() const;
  /// The same for another attachment, whose namespace is not known.
  CniResult<> del(const LeaseOwner& owner) const;
  CniResult<> check() const;
  /// Both succeed where the plugin is older than the verb. STATUS waits half a
  /// second at most.
  CniResult<> status() const;
  CniResult<> gc() const;

 private:
  struct Call {
    std::string verb;
    std::string container_id;
    std::string ifname;
    std::string netns;
  };
  Delegate(std::filesystem::path program, const CniEnv& env, const NetConf& conf)
      : program_(std::move(program)), env_(env), conf_(conf) {}

  [[nodiscard]] Call call(std::string verb) const;
  /// What it wrote to standard output, in whatever version it speaks.
  [[nodiscard]] CniResult<std::string> execute(const Call& call) const;
  [[nodiscard]] CniResult<std::string> execute_in_version(const Call& call,
                                                          const std::string& version) const;
  /// The highest version that it and we know, not above the configuration's.
  [[nodiscard]] CniResult<std::string> common_version() const;
  /// For a verb that came with 1.1.0.
  [[nodiscard]] CniResult<> execute_if_known(const Call& call) const;

  std::filesystem::path program_;
  const CniEnv& env_;
  const NetConf& conf_;
};

}  // namespace kubecni
