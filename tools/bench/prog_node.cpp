#include "bench/prog_node.hpp"

#include "dataplane/pins.hpp"
#include "net/link.hpp"

#include <bpf/bpf.h>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace kubecni::bench {

namespace {

constexpr const char* kWalkBpffs = "/sys/fs/bpf/prog-bench";
constexpr const char* kWalkRunDir = "/run/prog-bench";
constexpr unsigned kNetwork = 7;  // the pods' bridge, which the programs do not look at
constexpr unsigned kWalkMtu = 1500;

MacAddr mac(const char* text) { return MacAddr::parse(text).value(); }
IpAddr addr(const char* text) { return IpAddr::parse(text).value(); }

/// A veth with both ends here.
Result<Device> make_device(NetlinkSocket& netlink, const std::string& name, const MacAddr& own) {
  const UniqueFd netns(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  const std::string peer = name + "_peer";
  auto made = create_veth(netlink, {.host_name = name,
                                    .host_mac = own,
                                    .pod_name = peer,
                                    .pod_mac = MacAddr{{2, 0, 0, 0, 0, 2}},
                                    .pod_netns_fd = netns.get(),
                                    .mtu = kWalkMtu});
  if (!made) return fail(made);
  unsigned ifindex = 0;
  for (const auto& end : {peer, name}) {
    auto link = find_link(netlink, end);
    if (!link) return fail(link);
    if (!*link) return failure(ENODEV, end + " is gone");
    ifindex = (*link)->ifindex;
    if (auto up = set_link_up(netlink, ifindex); !up) return fail(up);
  }
  return Device{.ifindex = ifindex, .name = name};
}

kubecni_node peer_node(kubecni_node_kind kind, unsigned ifindex, const IpAddr& next_hop) {
  kubecni_node node{};
  node.kind = kind;
  node.egress_ifindex = ifindex;
  node.mtu = kWalkMtu;
  node.next_hop_family = static_cast<__u16>(next_hop.family());
  std::copy_n(next_hop.data(), next_hop.bytes(), node.next_hop);
  if (kind != KUBECNI_NODE_VXLAN) return node;
  node.vni = kWalkVni;
  std::ranges::copy(mac(kGatewayMac).bytes, node.tunnel_mac);
  std::ranges::copy(mac(kPodAMac).bytes, node.own_tunnel_mac);
  return node;
}

}  // namespace

Result<ProgNode> ProgNode::create() {
  auto dataplane = EbpfDataplane::open(kWalkBpffs, kWalkRunDir);
  if (!dataplane) return fail(dataplane);
  ProgNode node(std::move(*dataplane));
  if (auto made = node.make_devices(); !made) return fail(made, "make the devices");
  if (auto set = node.dataplane_.node_config.set_cluster_network(kNetwork); !set) return fail(set);
  if (auto added = node.add_pods(); !added) return fail(added, "add the pods");
  for (const WalkAddresses& at : kWalkAddresses)
    if (auto filled = node.fill_maps(at); !filled) return fail(filled, "fill the maps");
  return node;
}

Result<> ProgNode::make_devices() {
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  for (const auto& [device, name] : {std::pair{&pod_a_, "pod_a"},
                                     {&pod_b_, "pod_b"},
                                     {&shaped_pod_, "shaped"},
                                     {&nic_, "nic"},
                                     {&tunnel_, "tunnel"}}) {
    auto made = make_device(*netlink, name, mac(kNicMac));
    if (!made) return fail(made, name);
    *device = std::move(*made);
  }
  return {};
}

Result<> ProgNode::add_pods() {
  struct Pod {
    const Device* device;
    const char* WalkAddresses::* address;
    const char* pod_mac;
    bool shaped;
  };
  for (const Pod& pod : {Pod{&pod_a_, &WalkAddresses::pod_a, kPodAMac, false},
                         Pod{&pod_b_, &WalkAddresses::pod_b, kPodBMac, false},
                         Pod{&shaped_pod_, &WalkAddresses::shaped_pod, kPodBMac, true}}) {
    PodEndpoint endpoint{.host = *pod.device,
                         .network = kNetwork,
                         .addresses = {},
                         .pod_mac = mac(pod.pod_mac),
                         .gateway_mac = mac(kGatewayMac),
                         .shaped = pod.shaped};
    for (const WalkAddresses& at : kWalkAddresses)
      endpoint.addresses.push_back(addr(at.*pod.address));
    if (auto added = dataplane_.pods.endpoints.add(endpoint); !added) return added;
  }
  return {};
}

Result<> ProgNode::fill_maps(const WalkAddresses& at) {
  kubecni_node local{};
  local.kind = KUBECNI_NODE_LOCAL;
  const IpAddr tunnel_node = addr(at.tunnel_node);
  for (const auto& [cidr, node] :
       {std::pair{at.own_cidr, local},
        {at.direct_cidr, peer_node(KUBECNI_NODE_DIRECT, nic_.ifindex, addr(at.direct_node))},
        {at.tunnel_cidr, peer_node(KUBECNI_NODE_VXLAN, tunnel_.ifindex, tunnel_node)}})
    if (auto set = dataplane_.node_cidrs.set(IpNet::parse(cidr).value(), node); !set) return set;
  for (const IpAddr& peer : {tunnel_node, IpAddr::any(tunnel_node.family())})
    if (auto set = dataplane_.tunnel_peers.set(peer, {.vni = kWalkVni}); !set) return set;
  return {};
}

Result<UniqueFd> ProgNode::open_program(const std::string& name) const {
  UniqueFd program(bpf_obj_get((PinPaths(kWalkBpffs).progs / name).c_str()));
  if (!program) return sys_error(errno, "open the pinned program " + name);
  return program;
}

Result<ExitCounts> ProgNode::exit_counts() const { return read_exit_counts(kWalkBpffs); }

const Device& ProgNode::device_of(const std::string& program) const {
  if (program.ends_with("_pod")) return pod_a_;
  return program.ends_with("_tunnel") ? tunnel_ : nic_;
}

}  // namespace kubecni::bench
