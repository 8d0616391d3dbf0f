#pragma once

#include "cni_env.hpp"
#include "cni_error.hpp"
#include "net_conf.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>

namespace kubecni {

/// The IPAM plugin that `"ipam": {"type": ...}` names, executed as CNI specification 1.1.0, section
/// 4 says: found in CNI_PATH, with our environment, the complete configuration, and our standard
/// error. A plugin's error keeps its code.
///
/// If a plugin refuses the configuration's cniVersion, we call it again with the highest version
/// that both support: Debian's host-local supports 1.0.0, and a cluster's list may well be of
/// 1.1.0.
class Delegate {
 public:
  /// Errors: code 7 no such plugin in CNI_PATH, or it is kube-cni, or was called by kube-cni for
  /// the same; 4 CNI_PATH is not set.
  static CniResult<Delegate> find(const CniEnv& env, const NetConf& conf);

  /// Returns the result in the shape of 1.1.0. Errors: also code 101 the result cannot be read.
  CniResult<nlohmann::json> add() const;
  CniResult<> del() const;
  /// DEL for another attachment, whose namespace is not known.
  CniResult<> del(const LeaseOwner& owner) const;
  CniResult<> check() const;
  /// Both succeed if the plugin is older than the verb. STATUS waits at most half a second.
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
  /// The plugin's standard output, in whatever version it uses.
  [[nodiscard]] CniResult<std::string> execute(const Call& call) const;
  [[nodiscard]] CniResult<std::string> execute_in_version(const Call& call,
                                                          const std::string& version) const;
  /// The highest version that both support, not above the configuration's.
  [[nodiscard]] CniResult<std::string> common_version() const;
  /// Calls a verb that came with 1.1.0.
  [[nodiscard]] CniResult<> execute_if_known(const Call& call) const;

  std::filesystem::path program_;
  const CniEnv& env_;
  const NetConf& conf_;
};

}  // namespace kubecni
