#pragma once

#include "k8s/policy_objects.hpp"

#include <string>

namespace kubecni {

/// Where NetworkPolicies, pods and namespaces come from. Only one thread calls it.
class PolicySource {
 public:
  PolicySource() = default;
  PolicySource(const PolicySource&) = delete;
  PolicySource& operator=(const PolicySource&) = delete;
  virtual ~PolicySource() = default;

  /// Readable, for poll(2), when take() may have something new.
  [[nodiscard]] virtual int fd() const = 0;

  /// Takes what is new. Result: whether read() has other objects than the last time. Never blocks.
  virtual bool take() = 0;

  /// All kinds were read at least once. Until then nothing is known of the cluster.
  [[nodiscard]] virtual bool is_known() const = 0;

  /// The next take() may change it.
  [[nodiscard]] virtual const PolicyObjects& read() const = 0;

  /// Why newer states are not known; the last known one stays. Empty: nothing is wrong.
  [[nodiscard]] virtual std::string error() const = 0;
};

}  // namespace kubecni
