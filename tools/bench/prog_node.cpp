#include "bench/prog_node.hpp"

#include "bench/script.hpp"
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
constexpr unsigned kWrappedMtu = kWalkMtu - 70;
constexpr unsigned kTunnelPort = 8472;

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

void set_port(std::uint8_t (&at)[2], unsigned port) {
  at[0] = static_cast<std::uint8_t>(port >> 8);
  at[1] = static_cast<std::uint8_t>(port);
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
  set_port(node.tunnel_port, kTunnelPort);
  return node;
}

/// The same for a node to which programs send with an outer header of their own.
kubecni_node wrapped_node(const Device& tunnel, const Device& nic, const IpAddr& next_hop,
                          const IpAddr& own) {
  kubecni_node node = peer_node(KUBECNI_NODE_VXLAN, tunnel.ifindex, next_hop);
  node.mtu = kWrappedMtu;
  node.outer_ifindex = nic.ifindex;
  std::copy_n(own.data(), own.bytes(), node.own_endpoint);
  return node;
}

}  // namespace

Result<ProgNode> ProgNode::create(unsigned more_nodes) {
  auto dataplane = EbpfDataplane::open(kWalkBpffs, kWalkRunDir);
  if (!dataplane) return fail(dataplane);
  ProgNode node(std::move(*dataplane));
  if (auto made = node.make_devices(); !made) return fail(made, "make the devices");
  if (auto made = make_ways(); !made) return fail(made, "make routes");
  if (auto set = node.dataplane_.node_config.set_cluster_network(kNetwork); !set) return fail(set);
  if (auto added = node.add_pods(); !added) return fail(added, "add the pods");
  for (const WalkAddresses& at : kWalkAddresses)
    if (auto filled = node.fill_maps(at); !filled) return fail(filled, "fill the maps");
  if (auto added = node.add_nodes(more_nodes); !added) return fail(added, "add nodes");
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

/// Where outer packets leave: the kernel's routes say so.
Result<> ProgNode::make_ways() {
  std::string script = "sysctl -qw net.ipv4.conf.tunnel.forwarding=1\n";
  for (const char* device : {"nic", "tunnel"})
    script += "sysctl -qw net.ipv6.conf." + std::string(device) + ".disable_ipv6=0\n" +
              "sysctl -qw net.ipv6.conf." + device + ".forwarding=1\n";
  for (const WalkAddresses& at : kWalkAddresses) {
    const bool v4 = addr(at.own_node).is_v4();
    const std::string whole = v4 ? "/32" : "/128 nodad";
    script += "ip addr add " + std::string(at.own_node) + whole + " dev nic\n";
    script += "ip addr add " + std::string(at.shaped_pod) + whole + " dev tunnel\n";
    script += "ip route add " + std::string(at.tunnel_node) + " dev nic\n";
  }
  return run_script(script);
}

Result<> ProgNode::translate(const WalkAddresses& at, std::uint16_t port, const char* backend) {
  const std::string to = addr(backend).is_v4() ? backend : "[" + std::string(backend) + "]";
  // It says on standard error what it has made.
  return run_script("said=$(conntrack -I -p udp -u SEEN_REPLY,ASSURED --timeout 1000 -s " +
                    std::string(at.pod_a) + " --sport " + std::to_string(port) + " -d " +
                    at.outside + " --dport " + std::to_string(kServicePort) + " --dst-nat '" + to +
                    ":" + std::to_string(kBackendPort) +
                    "' 2>&1) || { echo \"$said\" >&2; exit 1; }\n");
}

Result<> ProgNode::add_pods() {
  struct Pod {
    const Device* device;
    const char* WalkAddresses::* address;
    const char* pod_mac;
    Shaped shaped;
  };
  for (const Pod& pod : {Pod{&pod_a_, &WalkAddresses::pod_a, kPodAMac, Shaped::kNothing},
                         Pod{&pod_b_, &WalkAddresses::pod_b, kPodBMac, Shaped::kNothing},
                         Pod{&shaped_pod_, &WalkAddresses::shaped_pod, kPodBMac, Shaped::kAll}}) {
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
        {at.tunnel_cidr, peer_node(KUBECNI_NODE_VXLAN, tunnel_.ifindex, tunnel_node)},
        {at.wrapped_cidr, wrapped_node(tunnel_, nic_, tunnel_node, addr(at.own_node))}})
    if (auto set = dataplane_.node_cidrs.set(IpNet::parse(cidr).value(), node); !set) return set;
  for (const IpAddr& peer : {tunnel_node, IpAddr::any(tunnel_node.family())})
    if (auto set = dataplane_.tunnel_peers.set(peer, {.vni = kWalkVni}); !set) return set;
  return {};
}

Result<> ProgNode::add_nodes(unsigned count) {
  for (unsigned number = 0; number < count; ++number) {
    const auto high = static_cast<std::uint8_t>(number >> 8);
    const auto low = static_cast<std::uint8_t>(number);
    const std::uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, high, low};
    const IpAddr next_hop = addr(kWalkAddresses[0].direct_node);
    for (const IpNet& cidr :
         {IpNet{IpAddr::v4({10, high, low, 0}), 24}, IpNet{IpAddr::v6(v6), 64}}) {
      const auto node = peer_node(KUBECNI_NODE_DIRECT, nic_.ifindex, next_hop);
      if (auto set = dataplane_.node_cidrs.set(cidr, node); !set) return set;
    }
  }
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
