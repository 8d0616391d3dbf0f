#pragma once

#include "expect.hpp"
#include "support/ip.hpp"
#include "support/node.hpp"
#include "support/traffic.hpp"
#include "support/wire.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace kubecni::test {

inline constexpr std::uint16_t kHostPort = 18080;
inline constexpr std::uint16_t kPodPort = 8080;
inline const std::string kNode4 = "192.0.2.1";
inline const std::string kNode6 = "2001:db8::1";

inline nlohmann::json mapping(const std::string& protocol, const std::string& host_ip = "",
                              unsigned host_port = kHostPort, unsigned pod_port = kPodPort) {
  return {{"hostPort", host_port},
          {"containerPort", pod_port},
          {"protocol", protocol},
          {"hostIP", host_ip}};
}

inline nlohmann::json asking_for(const std::vector<nlohmann::json>& mappings) {
  return {{"runtimeConfig", {{"portMappings", mappings}}}};
}

/// A node with a pod and another one, and a host outside.
class HostPortsOn {
 protected:
  explicit HostPortsOn(const std::string& dataplane)
      : node("node", std::vector<std::string>{"10.200.0.0/24", "fd00:1::/64"}, dataplane) {
    wire.connect(node.netns, {kNode4 + "/24", kNode6 + "/64"});
    wire.connect(outside, {"192.0.2.9/24", "2001:db8::9/64"});
    node.set_sysctl("net/netfilter/nf_conntrack_tcp_be_liberal", "1");
  }

  [[nodiscard]] Result<> call(const NetNs& client, const NetNs& server, const std::string& to,
                              std::uint16_t port = kHostPort) const {
    return TcpTransfer({.client = client,
                        .server = server,
                        .to = addr(to),
                        .port = port,
                        .server_port = kPodPort,
                        .bytes = 300'000,
                        .deadline = std::chrono::seconds(8)})
        .finish();
  }
  [[nodiscard]] bool is_closed(const NetNs& client, const NetNs& server,
                               const std::string& to) const {
    return !TcpTransfer({.client = client,
                         .server = server,
                         .to = addr(to),
                         .port = kHostPort,
                         .server_port = kPodPort,
                         .bytes = 1000,
                         .deadline = std::chrono::seconds(1)})
                .finish();
  }
  [[nodiscard]] std::string table() const {
    return node.must_run({"sh", "-c", "nft -s list table inet kube-cni-hostports 2>&1 || true"});
  }

  Wire wire{"wire"};
  Node node;
  NetNs outside{"outside"};
};

}  // namespace kubecni::test
