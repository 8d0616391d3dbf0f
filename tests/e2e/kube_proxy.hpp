#pragma once

#include "support/node.hpp"

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

namespace kubecni::test {

/// A service as kube-proxy sees it.
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
  unsigned others = 0;  ///< Services with rules like these, which packets meet before
};

enum class ProxyKind { kNft, kIptables };

/// The parameters of tests beside kube-proxy.
using ProxySetting = std::tuple<ProxyKind, int /*family*/, bool /*tunnel*/>;

/// "nft_v4_vxlan"
std::string name_of(const ProxySetting& setting);

/// Makes kube-proxy's rules for the service on a node, replacing earlier ones. `local_backends` are
/// the backends on that node.
///
/// Like kube-proxy, both kinds do DNAT for pods and for the node itself, set the mark 0x4000 if
/// packets need the node's address as source (a pod that reaches itself, a NodePort without
/// `local`, a client that is not a pod), and do not forward what conntrack calls invalid.
void apply_kube_proxy(ProxyKind kind, const Node& node, const ProxiedService& service,
                      const std::vector<IpAddr>& local_backends = {});

}  // namespace kubecni::test
