#pragma once

#include "support/node.hpp"

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <vector>

namespace kubecni::test {

/// A service as kube-proxy knows it.
struct ProxiedService {
  IpAddr cluster_ip;
  std::uint16_t port = 80;
  int protocol = IPPROTO_TCP;
  std::vector<IpAddr> backends = {};
  std::uint16_t backend_port = 8080;
  std::uint16_t node_port = 0;  ///< 0: none
  /// externalTrafficPolicy Local: only backends of the node, and the client's address
  /// is kept.
  bool local = false;
};

enum class ProxyKind { kNft, kIptables };

/// Makes the rules that kube-proxy makes on a node for the service, in place of those
/// before. `local_backends` are those of its backends that run there.
///
/// Both kinds do what kube-proxy's do: DNAT for pods and for the node itself, the mark
/// 0x4000 for what needs the node's address as its source (a pod that reaches itself, a
/// NodePort without `local`, a client that is no pod), and no forwarding of what
/// conntrack calls invalid.
void apply_kube_proxy(ProxyKind kind, const Node& node, const ProxiedService& service,
                      const std::vector<IpAddr>& local_backends = {});

}  // namespace kubecni::test
