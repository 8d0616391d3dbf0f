#include "dataplane/ebpf_dataplane.hpp"

#include "base/file.hpp"
#include "base/file_lock.hpp"
#include "dataplane/bpf_fs.hpp"
#include "dataplane/program_object.hpp"
#include "state/files.hpp"

#include <bpf/libbpf.h>

#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <optional>

namespace kubecni {

namespace {

/// Pins under another name and renames, so that there always is a program.
Result<> pin_program(const PinPaths& pins, const bpf_program* program) {
  const auto path = pins.progs / bpf_program__name(program);
  const auto temporary = pins.progs / (std::string(bpf_program__name(program)) + "_new");
  if (auto removed = delete_file(temporary); !removed) return fail(removed);
  if (bpf_obj_pin(bpf_program__fd(program), temporary.c_str()) != 0 ||
      std::rename(temporary.c_str(), path.c_str()) != 0)
    return sys_error(errno, "pin program " + path.string());
  return {};
}

Result<> pin_programs(const PinPaths& pins, const BpfObject& object) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    if (auto pinned = pin_program(pins, program); !pinned) return fail(pinned);
  }
  return {};
}

Result<bpf_prog_info> program_info(int fd) {
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0)
    return sys_error(errno, "read program information");
  return info;
}

/// Returns why the programs do not ask conntrack; empty: they do, or somebody
/// else loaded them.
Result<std::string> load_and_pin(const std::filesystem::path& bpffs,
                                 const std::filesystem::path& run_dir,
                                 std::chrono::milliseconds patience) {
  if (auto made = ensure_directory(run_dir); !made) return fail(made);
  auto lock = FileLock::acquire(run_dir / kDataplaneLock, patience);
  if (!lock) return fail(lock);
  if (EbpfDataplane::open_loaded(bpffs)) return "";  // somebody else was faster
  const PinPaths pins(bpffs);
  for (const auto& folder : {pins.maps, pins.progs, pins.links}) {
    if (auto made = ensure_bpffs(folder); !made) return fail(made);
  }
  auto loaded = load_programs(pins.maps);
  if (!loaded) return fail(loaded);
  if (auto pinned = pin_programs(pins, loaded->object); !pinned) return fail(pinned);
  return loaded->no_conntrack_reason;
}

template <std::size_t N>
void copy(const std::uint8_t* from, __u8 (&to)[N]) {
  std::copy_n(from, N, to);
}

/// The first address of the family.
std::optional<IpAddr> first_of(const std::vector<IpAddr>& addresses, int family) {
  const auto found = std::ranges::find(addresses, family, &IpAddr::family);
  return found == addresses.end() ? std::nullopt : std::optional(*found);
}

kubecni_pod_iface iface_of(const PodEndpoint& pod) {
  kubecni_pod_iface iface{};
  if (const auto v4 = first_of(pod.addresses, AF_INET)) copy(v4->data(), iface.addr4);
  if (const auto v6 = first_of(pod.addresses, AF_INET6)) copy(v6->data(), iface.addr6);
  copy(pod.pod_mac.bytes.data(), iface.pod_mac);
  iface.network = pod.network;
  return iface;
}

bool same(const kubecni_pod_iface& a, const kubecni_pod_iface& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

/// The addresses that the map has for the interface.
std::vector<IpAddr> addresses_of(const kubecni_pod_iface& iface) {
  std::vector<IpAddr> addresses;
  for (const IpAddr& address : {IpAddr::v4(iface.addr4), IpAddr::v6(iface.addr6)}) {
    if (address != IpAddr::any(address.family())) addresses.push_back(address);
  }
  return addresses;
}

std::string map_of(const IpAddr& address) {
  return address.is_v4() ? "map endpoints4" : "map endpoints6";
}

__u32 flags_of(const PodEndpoint& pod) {
  return pod.shaped ? KUBECNI_ENDPOINT_READY | KUBECNI_ENDPOINT_SHAPED : KUBECNI_ENDPOINT_READY;
}

}  // namespace

PinPaths::PinPaths(const std::filesystem::path& bpffs)
    : maps(bpffs / ("v" + std::to_string(KUBECNI_SCHEMA)) / "maps"),
      progs(maps.parent_path() / "progs"),
      links(bpffs / "links") {}

Result<EbpfDataplane> EbpfDataplane::open(const std::filesystem::path& bpffs,
                                          const std::filesystem::path& run_dir,
                                          std::chrono::milliseconds patience) {
  auto loaded = open_loaded(bpffs);
  if (loaded || loaded.error().code != ENOENT) return loaded;
  auto pinned = load_and_pin(bpffs, run_dir, patience);
  if (!pinned) return fail(pinned, "eBPF dataplane");
  loaded = open_loaded(bpffs);
  if (loaded) loaded->no_conntrack_reason_ = *pinned;
  return loaded;
}

Result<EbpfDataplane> EbpfDataplane::open_loaded(const std::filesystem::path& bpffs) {
  const PinPaths pins(bpffs);
  auto node_cidrs = NodeCidrMap::open(pins.maps, "node_cidrs");
  if (!node_cidrs) return fail(node_cidrs, "eBPF dataplane");
  auto endpoints = EndpointMap::open(pins.maps, "endpoints");
  if (!endpoints) return fail(endpoints, "eBPF dataplane");
  auto pod_ifaces = PodIfaceMap::open(pins.maps / "pod_ifaces");
  if (!pod_ifaces) return fail(pod_ifaces, "eBPF dataplane");
  auto tunnel_peers = TunnelPeerMap::open(pins.maps, "tunnel_peers");
  if (!tunnel_peers) return fail(tunnel_peers, "eBPF dataplane");
  auto node_config = NodeConfigMap::open(pins.maps / "node_config");
  if (!node_config) return fail(node_config, "eBPF dataplane");
  EbpfDataplane dataplane(pins, std::move(*node_cidrs), std::move(*endpoints),
                          std::move(*pod_ifaces), std::move(*tunnel_peers),
                          std::move(*node_config));
  if (auto opened = dataplane.find_programs(); !opened) return fail(opened, "eBPF dataplane");
  return dataplane;
}

Result<UniqueFd> EbpfDataplane::open_program(const Hook& hook) const {
  const auto path = pins_.progs / hook.name;
  UniqueFd fd(bpf_obj_get(path.c_str()));
  if (!fd) return sys_error(errno, "open program " + path.string());
  return fd;
}

Result<> EbpfDataplane::find_programs() {
  for (const Hook& hook : kHooks) {
    auto program = open_program(hook);
    if (!program) return fail(program);
    auto info = program_info(program->get());
    if (!info) return fail(info);
    program_ids_[hook.name] = info->id;
  }
  return {};
}

Result<bool> EbpfDataplane::upgrade_programs(const std::filesystem::path& run_dir) {
  auto lock = FileLock::acquire(run_dir / kDataplaneLock, kLoadTimeout);
  if (!lock) return fail(lock);
  auto loaded = load_programs(pins_.maps);
  if (!loaded) return fail(loaded);
  no_conntrack_reason_ = loaded->no_conntrack_reason;
  bool differs = false;
  for (const Hook& hook : kHooks) {
    const auto* built = bpf_object__find_program_by_name(loaded->object.get(), hook.name);
    auto there = open_program(hook);
    if (!there) return fail(there);
    auto ours = program_info(bpf_program__fd(built));
    auto pinned = program_info(there->get());
    if (!ours || !pinned) return fail(ours ? pinned : ours);
    differs = differs || std::memcmp(ours->tag, pinned->tag, sizeof(ours->tag)) != 0;
  }
  if (!differs) return false;
  if (auto pinned = pin_programs(pins_, loaded->object); !pinned) return fail(pinned);
  if (auto found = find_programs(); !found) return fail(found);
  return true;
}

Result<bool> EbpfDataplane::asks_conntrack() const {
  auto program = open_program(kFromPod);
  if (!program) return fail(program);
  return kubecni::asks_conntrack(program->get());
}

template <std::size_t N>
Result<AttachKind> EbpfDataplane::attach_all(const std::array<Hook, N>& hooks, const Device& device,
                                             AttachKind preferred) {
  AttachKind kind{};
  for (const Hook& hook : hooks) {
    auto program = open_program(hook);
    if (!program) return fail(program);
    auto attached = attach(pins_.links, hook, device, program->get(), preferred);
    if (!attached) return attached;
    kind = *attached;
  }
  return kind;
}

template <std::size_t N>
Result<> EbpfDataplane::detach_all(const std::array<Hook, N>& hooks, const Device& device) {
  for (auto hook = hooks.rbegin(); hook != hooks.rend(); ++hook) {
    if (auto detached = detach(pins_.links, *hook, device); !detached) return detached;
  }
  return {};
}

template <std::size_t N>
Result<bool> EbpfDataplane::are_attached(const std::array<Hook, N>& hooks,
                                         const Device& device) const {
  for (const Hook& hook : hooks) {
    auto attached = is_attached(pins_.links, hook, device, program_ids_.at(hook.name));
    if (!attached || !*attached) return attached;
  }
  return true;
}

template <std::size_t N>
Result<bool> EbpfDataplane::is_any_held(const std::array<Hook, N>& hooks,
                                        const Device& device) const {
  for (const Hook& hook : hooks) {
    auto held = is_held(pins_.links, hook, device);
    if (!held || *held) return held;
  }
  return false;
}

Result<AttachKind> EbpfDataplane::attach_pod(const Device& host, AttachKind preferred) {
  return attach_all(kPodHooks, host, preferred);
}

Result<> EbpfDataplane::add_endpoint(const PodEndpoint& pod) {
  if (pod.addresses.empty()) return {};
  auto former = pod_ifaces_.find(pod.host.ifindex);
  if (!former) return fail(former);
  // A bridge that was made anew is another network.
  if (*former && (*former)->network != pod.network) {
    if (auto erased = erase_pod(pod.host.ifindex, pod.addresses); !erased) return erased;
  }
  if (auto set = pod_ifaces_.set(pod.host.ifindex, iface_of(pod)); !set) return set;

  kubecni_endpoint endpoint{};
  endpoint.host_ifindex = pod.host.ifindex;
  endpoint.flags = flags_of(pod);
  copy(pod.pod_mac.bytes.data(), endpoint.pod_mac);
  copy(pod.gateway_mac.bytes.data(), endpoint.gateway_mac);
  for (const IpAddr& address : pod.addresses) {
    if (auto set = endpoints_.set({pod.network, address}, endpoint); !set) return set;
  }
  return {};
}

Result<std::set<unsigned>> EbpfDataplane::find_gone_ifaces(
    const std::vector<IpAddr>& addresses) const {
  const auto is_one = [&](const IpAddr& address) {
    return std::ranges::find(addresses, address) != addresses.end();
  };
  std::set<unsigned> found;
  auto endpoints = endpoints_.entries();
  if (!endpoints) return fail(endpoints);
  for (const auto& [key, endpoint] : *endpoints)
    if (is_one(key.address)) found.insert(endpoint.host_ifindex);
  // Killed between the two maps, and then the interface went with its pod.
  auto ifaces = pod_ifaces_.entries();
  if (!ifaces) return fail(ifaces);
  for (const auto& [ifindex, iface] : *ifaces)
    if (std::ranges::any_of(addresses_of(iface), is_one)) found.insert(ifindex);
  std::erase_if(found, [](unsigned ifindex) {
    char name[IF_NAMESIZE];
    return ::if_indextoname(ifindex, name) != nullptr;
  });
  return found;
}

Result<> EbpfDataplane::erase_endpoint(const EndpointKey& key, unsigned host_ifindex) {
  auto endpoint = endpoints_.find(key);
  if (!endpoint) return fail(endpoint);
  if (!*endpoint || (*endpoint)->host_ifindex != host_ifindex) return {};
  return endpoints_.erase(key);
}

Result<> EbpfDataplane::erase_endpoints_of(unsigned host_ifindex) {
  auto endpoints = endpoints_.entries();
  if (!endpoints) return fail(endpoints);
  for (const auto& [key, endpoint] : *endpoints) {
    if (endpoint.host_ifindex != host_ifindex) continue;
    if (auto erased = endpoints_.erase(key); !erased) return erased;
  }
  return {};
}

Result<> EbpfDataplane::erase_pod(unsigned host_ifindex, const std::vector<IpAddr>& addresses) {
  auto iface = pod_ifaces_.find(host_ifindex);
  if (!iface) return fail(iface);
  // Without the record nobody can say under which network the pod is.
  if (!*iface) return erase_endpoints_of(host_ifindex);
  // Whoever lost the lease does not know the address, but the map does.
  std::vector<IpAddr> known = addresses;
  std::ranges::copy(addresses_of(**iface), std::back_inserter(known));
  // First no redirect may name the pod, then nothing may be called spoofed.
  for (const IpAddr& address : known) {
    if (auto erased = erase_endpoint({(*iface)->network, address}, host_ifindex); !erased)
      return erased;
  }
  return pod_ifaces_.erase(host_ifindex);
}

Result<> EbpfDataplane::remove_pod(const Device& host, const std::vector<IpAddr>& addresses) {
  std::set<unsigned> ifindexes{host.ifindex};
  if (host.ifindex == 0) {
    auto gone = find_gone_ifaces(addresses);
    if (!gone) return fail(gone);
    ifindexes = std::move(*gone);
  }
  for (const unsigned ifindex : ifindexes) {
    if (auto erased = erase_pod(ifindex, addresses); !erased) return erased;
  }
  return detach_all(kPodHooks, host);
}

Result<> EbpfDataplane::compare_endpoint(const PodEndpoint& pod, const IpAddr& address,
                                         std::vector<std::string>& found) const {
  auto endpoint = endpoints_.find({pod.network, address});
  if (!endpoint) return fail(endpoint);
  if (!*endpoint)
    found.push_back(map_of(address) + " has no entry for " + address.str());
  else if ((*endpoint)->host_ifindex != pod.host.ifindex)
    found.push_back(map_of(address) + " has another interface for " + address.str());
  else if (!((*endpoint)->flags & KUBECNI_ENDPOINT_READY))
    found.push_back("endpoint " + address.str() + " is not READY");
  else if ((*endpoint)->flags != flags_of(pod))
    found.push_back("endpoint " + address.str() +
                    (pod.shaped ? " gets redirected packets, which bypass its queueing discipline; "
                                  "kube-cnid corrects that: does it run?"
                                : " is marked as SHAPED and has no queueing discipline"));
  return {};
}

Result<std::vector<std::string>> EbpfDataplane::differences(const PodEndpoint& pod) const {
  std::vector<std::string> found;
  for (const Hook& hook : kPodHooks) {
    auto attached = is_attached(pins_.links, hook, pod.host, program_ids_.at(hook.name));
    if (!attached) return fail(attached);
    if (!*attached)
      found.push_back("program " + std::string(hook.name) + " is not attached to " + pod.host.name);
  }
  auto iface = pod_ifaces_.find(pod.host.ifindex);
  if (!iface) return fail(iface);
  if (!*iface && !pod.addresses.empty())
    found.push_back("map pod_ifaces has no entry for " + pod.host.name);
  else if (*iface && (*iface)->network != pod.network)
    found.push_back("map pod_ifaces has another bridge for " + pod.host.name);
  else if (*iface && !same(**iface, iface_of(pod)))
    found.push_back("map pod_ifaces has another pod for " + pod.host.name);
  for (const IpAddr& address : pod.addresses) {
    if (auto compared = compare_endpoint(pod, address, found); !compared) return fail(compared);
  }
  return found;
}

Result<AttachKind> EbpfDataplane::attach_wire(const Device& nic) {
  return attach_all(kWireHooks, nic, AttachKind::kTcx);
}

Result<> EbpfDataplane::detach_wire(const Device& nic) { return detach_all(kWireHooks, nic); }

Result<bool> EbpfDataplane::is_wire_attached(const Device& nic) const {
  return are_attached(kWireHooks, nic);
}

Result<bool> EbpfDataplane::is_wire_held(const Device& nic) const {
  return is_any_held(kWireHooks, nic);
}

Result<AttachKind> EbpfDataplane::attach_tunnel(const Device& tunnel) {
  return attach_all(kTunnelHooks, tunnel, AttachKind::kTcx);
}

Result<> EbpfDataplane::detach_tunnel(const Device& tunnel) {
  return detach_all(kTunnelHooks, tunnel);
}

Result<bool> EbpfDataplane::is_tunnel_attached(const Device& tunnel) const {
  return are_attached(kTunnelHooks, tunnel);
}

Result<bool> EbpfDataplane::is_tunnel_held(const Device& tunnel) const {
  return is_any_held(kTunnelHooks, tunnel);
}

Result<std::map<IpNet, kubecni_node>> EbpfDataplane::node_cidrs() const {
  return node_cidrs_.entries();
}

Result<> EbpfDataplane::set_node_cidr(const IpNet& cidr, const kubecni_node& node) {
  return node_cidrs_.set(cidr, node);
}

Result<> EbpfDataplane::erase_node_cidr(const IpNet& cidr) { return node_cidrs_.erase(cidr); }

Result<std::map<IpAddr, kubecni_tunnel_peer>> EbpfDataplane::tunnel_peers() const {
  return tunnel_peers_.entries();
}

Result<> EbpfDataplane::set_tunnel_peer(const IpAddr& address, const kubecni_tunnel_peer& peer) {
  return tunnel_peers_.set(address, peer);
}

Result<> EbpfDataplane::erase_tunnel_peer(const IpAddr& address) {
  return tunnel_peers_.erase(address);
}

Result<unsigned> EbpfDataplane::cluster_network() const {
  auto config = node_config_.find(0);
  if (!config) return fail(config);
  return *config ? (*config)->cluster_network : 0;
}

Result<> EbpfDataplane::set_cluster_network(unsigned bridge_ifindex) {
  return node_config_.set(0, {.cluster_network = bridge_ifindex});
}

}  // namespace kubecni
