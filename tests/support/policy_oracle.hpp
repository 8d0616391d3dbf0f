#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <utility>

namespace kubecni::test {

/// Says what NetworkPolicies allow, straight from the objects of the API, one by one and slowly. It
/// shares no code with the compiler, so both have to be wrong in the same way to agree wrongly.
class PolicyOracle {
 public:
  /// `objects` has the lists "policies", "pods" and "namespaces" of valid objects.
  explicit PolicyOracle(nlohmann::json objects) : objects_(std::move(objects)) {}

  /// Whether a connection may be opened. Protocols are "TCP", "UDP" and "SCTP", or any other text.
  [[nodiscard]] bool allows(const std::string& source, const std::string& destination,
                            const std::string& protocol, int port) const;
  /// One end alone.
  [[nodiscard]] bool allows_ingress(const std::string& source, const std::string& destination,
                                    const std::string& protocol, int port) const;
  [[nodiscard]] bool allows_egress(const std::string& source, const std::string& destination,
                                   const std::string& protocol, int port) const;
  /// Whether any policy selects the pod with this address.
  [[nodiscard]] bool is_selected(const std::string& address) const;

 private:
  [[nodiscard]] const nlohmann::json* pod_at(const std::string& address) const;
  [[nodiscard]] bool allows_at(bool ingress, const std::string& subject, const std::string& peer,
                               const std::string& destination, const std::string& protocol,
                               int port) const;
  [[nodiscard]] bool is_peer(const nlohmann::json& item, const std::string& space,
                             const std::string& address) const;

  nlohmann::json objects_;
};

}  // namespace kubecni::test
