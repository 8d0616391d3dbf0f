#pragma once

#include "base/ip.hpp"
#include "k8s/labels.hpp"

#include <nlohmann/json.hpp>

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace kubecni {

/// A port that a container of a pod declares by name.
struct NamedPort {
  std::string name;
  std::uint8_t protocol = 0;  ///< IPPROTO_TCP, _UDP, _SCTP
  std::uint16_t number = 0;   ///< host order

  auto operator<=>(const NamedPort&) const = default;
};

/// A pod, as far as policies ask for it.
struct Pod {
  std::string space;  ///< its namespace
  std::string name;
  /// Empty for the object of a static pod: the runtime knows that pod by another one.
  std::string uid;
  ObjectLabels labels;
  std::vector<IpAddr> addresses;  ///< status.podIPs: sorted, each once
  std::vector<NamedPort> ports;   ///< sorted, each once
  bool uses_host_network = false;
  bool has_ended = false;    ///< Succeeded or Failed: another pod may have its addresses
  std::string problem = {};  ///< why nothing can be said of it; empty: nothing is wrong

  bool operator==(const Pod&) const = default;
  [[nodiscard]] std::string key() const { return space + "/" + name; }
  /// Whether a policy may select it, as subject or peer.
  [[nodiscard]] bool is_selectable() const {
    return !uses_host_network && !has_ended && problem.empty();
  }
};

/// Reads a `v1 Pod`: names and labels, the named ports of all containers, hostNetwork, phase and
/// podIPs. A malformed one has a `problem`.
Pod parse_pod(const nlohmann::json& object);

/// A namespace, as far as policies ask for it.
struct Namespace {
  std::string name;
  /// With `kubernetes.io/metadata.name`, which the API server sets on each.
  ObjectLabels labels;
  std::string problem = {};  ///< why nothing can be said of it; empty: nothing is wrong

  bool operator==(const Namespace&) const = default;
};

/// Reads a `v1 Namespace`. A malformed one has a `problem`.
Namespace parse_namespace(const nlohmann::json& object);

}  // namespace kubecni
