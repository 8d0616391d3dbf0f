#include "dataplane/ebpf_dataplane.hpp"

#include "base/file.hpp"
#include "base/file_lock.hpp"
#include "dataplane/bpf_fs.hpp"
#include "dataplane/libbpf_log.hpp"

#include <bpf/libbpf.h>

#include <dataplane.skel.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>

namespace kubecni {

namespace {

std::unexpected<Error> load_error(int code, const std::string& what) {
  std::string text = what;
  if (code == EPERM) text += " (root, or CAP_BPF with CAP_NET_ADMIN, is needed)";
  if (!kept_libbpf_log().empty()) text += " [" + kept_libbpf_log() + "]";
  return sys_error(code, text);
}

struct DestroySkeleton {
  void operator()(::dataplane* skeleton) const { dataplane__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<::dataplane, DestroySkeleton>;

/// Loads the programs of this build on the pinned maps, and pins the maps that
/// are missing. libbpf refuses a pinned map whose layout is another.
Result<Skeleton> load_programs(const PinPaths& pins) {
  keep_libbpf_log();
  Skeleton skeleton(dataplane__open());
  if (!skeleton) return load_error(errno, "open the eBPF object");
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton->obj) {
    if (bpf_map__is_internal(map)) continue;
    const int error = bpf_map__set_pin_path(map, (pins.maps / bpf_map__name(map)).c_str());
    if (error != 0) return load_error(-error, "set the pin of a map");
  }
  if (const int error = dataplane__load(skeleton.get()); error != 0)
    return load_error(-error, "load the eBPF programs");
  return skeleton;
}

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

Result<> pin_programs(const PinPaths& pins, const Skeleton& skeleton) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton->obj) {
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

Result<> load_and_pin(const std::filesystem::path& bpffs, const std::filesystem::path& run_dir,
                      std::chrono::milliseconds patience) {
  if (auto made = ensure_directory(run_dir); !made) return fail(made);
  auto lock = FileLock::acquire(run_dir / "dataplane.lock", patience);
  if (!lock) return fail(lock);
  if (EbpfDataplane::open_loaded(bpffs)) return {};  // somebody else was faster
  const PinPaths pins(bpffs);
  for (const auto& folder : {pins.maps, pins.progs, pins.links}) {
    if (auto made = ensure_bpffs(folder); !made) return fail(made);
  }
  auto skeleton = load_programs(pins);
  if (!skeleton) return fail(skeleton);
  return pin_programs(pins, *skeleton);
}

template <std::size_t N>
void copy(const std::uint8_t* from, __u8 (&to)[N]) {
  std::copy_n(from, N, to);
}

std::vector<IpAddr> ipv4_of(std::vector<IpAddr> addresses) {
  std::erase_if(addresses, [](const IpAddr& address) { return !address.is_v4(); });
  return addresses;
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
  if (auto pinned = load_and_pin(bpffs, run_dir, patience); !pinned)
    return fail(pinned, "eBPF dataplane");
  return open_loaded(bpffs);
}

Result<EbpfDataplane> EbpfDataplane::open_loaded(const std::filesystem::path& bpffs) {
  const PinPaths pins(bpffs);
  auto node_cidrs = NodeCidrMap::open(pins.maps / "node_cidrs4");
  if (!node_cidrs) return fail(node_cidrs, "eBPF dataplane");
  auto endpoints = EndpointMap::open(pins.maps / "endpoints4");
  if (!endpoints) return fail(endpoints, "eBPF dataplane");
  auto pod_ifaces = PodIfaceMap::open(pins.maps / "pod_ifaces");
  if (!pod_ifaces) return fail(pod_ifaces, "eBPF dataplane");
  EbpfDataplane dataplane(pins, std::move(*node_cidrs), std::move(*endpoints),
                          std::move(*pod_ifaces));
  if (auto opened = dataplane.open_programs(); !opened) return fail(opened, "eBPF dataplane");
  return dataplane;
}

Result<> EbpfDataplane::open_programs() {
  for (const Hook& hook : kHooks) {
    const auto path = pins_.progs / hook.name;
    Program opened{UniqueFd(bpf_obj_get(path.c_str()))};
    if (!opened.fd) return sys_error(errno, "open program " + path.string());
    auto info = program_info(opened.fd.get());
    if (!info) return fail(info);
    opened.id = info->id;
    programs_.insert_or_assign(hook.name, std::move(opened));
  }
  return {};
}

Result<bool> EbpfDataplane::upgrade_programs(const std::filesystem::path& run_dir) {
  auto lock = FileLock::acquire(run_dir / "dataplane.lock", kLoadTimeout);
  if (!lock) return fail(lock);
  auto skeleton = load_programs(pins_);
  if (!skeleton) return fail(skeleton);
  bool differs = false;
  bpf_program* built = nullptr;
  bpf_object__for_each_program(built, (*skeleton)->obj) {
    auto ours = program_info(bpf_program__fd(built));
    auto pinned = program_info(programs_.at(bpf_program__name(built)).fd.get());
    if (!ours || !pinned) return fail(ours ? pinned : ours);
    differs = differs || std::memcmp(ours->tag, pinned->tag, sizeof(ours->tag)) != 0;
  }
  if (!differs) return false;
  if (auto pinned = pin_programs(pins_, *skeleton); !pinned) return fail(pinned);
  if (auto opened = open_programs(); !opened) return fail(opened);
  return true;
}

const EbpfDataplane::Program& EbpfDataplane::program(const Hook& hook) const {
  return programs_.at(hook.name);
}

template <std::size_t N>
Result<AttachKind> EbpfDataplane::attach_all(const std::array<Hook, N>& hooks, const Device& device,
                                             AttachKind preferred) {
  AttachKind kind{};
  for (const Hook& hook : hooks) {
    auto attached = attach(pins_.links, hook, device, program(hook).fd.get(), preferred);
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

Result<AttachKind> EbpfDataplane::attach_pod(const Device& host, AttachKind preferred) {
  return attach_all(kPodHooks, host, preferred);
}

Result<> EbpfDataplane::add_endpoint(const PodEndpoint& pod) {
  const auto addresses = ipv4_of(pod.addresses);
  if (addresses.empty()) return {};
  kubecni_pod_iface iface{};
  copy(addresses.front().data(), iface.addr4);
  copy(pod.pod_mac.bytes.data(), iface.pod_mac);
  if (auto set = pod_ifaces_.set(pod.host.ifindex, iface); !set) return set;

  kubecni_endpoint endpoint{};
  endpoint.host_ifindex = pod.host.ifindex;
  endpoint.flags = flags_of(pod);
  copy(pod.pod_mac.bytes.data(), endpoint.pod_mac);
  copy(pod.gateway_mac.bytes.data(), endpoint.gateway_mac);
  for (const IpAddr& address : addresses) {
    if (auto set = endpoints_.set(to_addr4(address), endpoint); !set) return set;
  }
  return {};
}

Result<unsigned> EbpfDataplane::find_iface_of(const IpAddr& address) const {
  auto endpoint = endpoints_.find(to_addr4(address));
  if (!endpoint) return fail(endpoint);
  if (*endpoint) return (*endpoint)->host_ifindex;
  // Killed between the two maps, and then the interface went with its pod.
  auto ifaces = pod_ifaces_.entries();
  if (!ifaces) return fail(ifaces);
  const auto found = std::ranges::find_if(
      *ifaces, [&](const auto& entry) { return IpAddr::v4(entry.second.addr4) == address; });
  return found == ifaces->end() ? 0 : found->first;
}

Result<> EbpfDataplane::erase_endpoint(const IpAddr& address, unsigned host_ifindex) {
  auto endpoint = endpoints_.find(to_addr4(address));
  if (!endpoint) return fail(endpoint);
  if (!*endpoint || (*endpoint)->host_ifindex != host_ifindex) return {};
  return endpoints_.erase(to_addr4(address));
}

Result<> EbpfDataplane::remove_pod(const Device& host, const std::vector<IpAddr>& addresses) {
  std::vector<IpAddr> known = ipv4_of(addresses);
  unsigned ifindex = host.ifindex;
  if (ifindex == 0 && !known.empty()) {
    auto found = find_iface_of(known.front());
    if (!found) return fail(found);
    ifindex = *found;
  }
  if (ifindex != 0) {
    auto iface = pod_ifaces_.find(ifindex);
    if (!iface) return fail(iface);
    // Whoever lost the lease does not know the address, but the map does.
    if (*iface) known.push_back(IpAddr::v4((*iface)->addr4));
    // First no redirect may name the pod, then nothing may be called spoofed.
    for (const IpAddr& address : known) {
      if (auto erased = erase_endpoint(address, ifindex); !erased) return erased;
    }
    if (auto erased = pod_ifaces_.erase(ifindex); !erased) return erased;
  }
  return detach_all(kPodHooks, host);
}

Result<> EbpfDataplane::compare_endpoint(const PodEndpoint& pod, const IpAddr& address,
                                         std::vector<std::string>& found) const {
  auto endpoint = endpoints_.find(to_addr4(address));
  if (!endpoint) return fail(endpoint);
  if (!*endpoint)
    found.push_back("map endpoints4 has no entry for " + address.str());
  else if ((*endpoint)->host_ifindex != pod.host.ifindex)
    found.push_back("map endpoints4 has another interface for " + address.str());
  else if (!((*endpoint)->flags & KUBECNI_ENDPOINT_READY))
    found.push_back("endpoint " + address.str() + " is not READY");
  else if ((*endpoint)->flags != flags_of(pod))
    found.push_back("endpoint " + address.str() +
                    (pod.shaped
                         ? " is redirected to in spite of its queueing discipline; kube-cnid "
                           "notices that: does it run?"
                         : " is marked as SHAPED and has no queueing discipline"));
  return {};
}

Result<std::vector<std::string>> EbpfDataplane::differences(const PodEndpoint& pod) const {
  std::vector<std::string> found;
  for (const Hook& hook : kPodHooks) {
    auto attached = is_attached(pins_.links, hook, pod.host, program(hook).id);
    if (!attached) return fail(attached);
    if (!*attached)
      found.push_back("program " + std::string(hook.name) + " is not attached to " + pod.host.name);
  }
  const auto addresses = ipv4_of(pod.addresses);
  auto iface = pod_ifaces_.find(pod.host.ifindex);
  if (!iface) return fail(iface);
  if (!*iface && !addresses.empty()) found.push_back("map pod_ifaces has no entry for " + pod.host.name);
  for (const IpAddr& address : addresses) {
    if (auto compared = compare_endpoint(pod, address, found); !compared) return fail(compared);
  }
  return found;
}

Result<AttachKind> EbpfDataplane::attach_wire(const Device& nic) {
  return attach_all(kWireHooks, nic, AttachKind::kTcx);
}

Result<> EbpfDataplane::detach_wire(const Device& nic) { return detach_all(kWireHooks, nic); }

Result<bool> EbpfDataplane::is_wire_attached(const Device& nic) const {
  for (const Hook& hook : kWireHooks) {
    auto attached = is_attached(pins_.links, hook, nic, program(hook).id);
    if (!attached || !*attached) return attached;
  }
  return true;
}

Result<bool> EbpfDataplane::is_wire_held(const Device& nic) const {
  for (const Hook& hook : kWireHooks) {
    auto held = is_held(pins_.links, hook, nic);
    if (!held || *held) return held;
  }
  return false;
}

kubecni_addr4 to_addr4(const IpAddr& address) {
  kubecni_addr4 key{};
  copy(address.data(), key.addr);
  return key;
}

kubecni_cidr4_key to_cidr4_key(const IpNet& cidr) {
  kubecni_cidr4_key key{.prefixlen = cidr.prefix, .addr = {}};
  copy(cidr.addr.data(), key.addr);
  return key;
}

IpNet to_ip_net(const kubecni_cidr4_key& key) { return {IpAddr::v4(key.addr), key.prefixlen}; }

}  // namespace kubecni
