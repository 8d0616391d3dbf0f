#include "control/nodes/node_hooks.hpp"

#include "control/nodes/peer_path.hpp"

#include <algorithm>

namespace kubecni {

namespace {

constexpr const char* kWirePrograms = "from_wire and to_wire";
constexpr const char* kTunnelPrograms = "from_tunnel and to_tunnel";

bool is_attached(const ProgramStore& programs, kubecni_device kind, const Device& device) {
  const auto attached = programs.is_attached(kind, device);
  return attached && *attached;
}

bool is_held(const std::filesystem::path& bpffs, kubecni_device kind, const Device& device) {
  const auto held = is_any_held(bpffs, kind, device);
  return held && *held;
}

void attach(const ProgramStore& programs, kubecni_device kind, const Device& device,
            const std::string& what, Outcome& outcome) {
  auto done = programs.attach(kind, device);
  outcome.apply(done ? Result<>() : fail(done), "attached " + what + " to " + device.name);
}

}  // namespace

std::optional<Device> find_tunnel(const std::vector<Link>& links) {
  const auto found = std::ranges::find(links, kTunnelName, &Link::name);
  if (found == links.end() || found->kind != "vxlan") return std::nullopt;
  return Device{found->ifindex, found->name};
}

NodeHooks read_node_hooks(const ProgramStore& programs, const std::filesystem::path& bpffs,
                          const std::vector<Link>& links,
                          const std::map<std::string, Device>& wires) {
  NodeHooks found;
  for (const auto& [name, device] : wires)
    if (is_attached(programs, KUBECNI_ON_WIRE, device)) found.attached.insert(name);
  for (const Link& link : links) {
    const Device device{link.ifindex, link.name};
    if (!wires.contains(link.name) && is_held(bpffs, KUBECNI_ON_WIRE, device))
      found.held.push_back(device);
  }
  found.tunnel = find_tunnel(links);
  if (!found.tunnel) return found;
  found.is_tunnel_attached = is_attached(programs, KUBECNI_ON_TUNNEL, *found.tunnel);
  found.is_tunnel_held = is_held(bpffs, KUBECNI_ON_TUNNEL, *found.tunnel);
  return found;
}

NodeHookChanges plan_node_hooks(const std::map<std::string, Device>& wires, bool wants_tunnel,
                                const NodeHooks& found) {
  NodeHookChanges changes;
  for (const auto& [name, device] : wires)
    if (!found.attached.contains(name)) changes.attach_wires.push_back(device);
  changes.detach_wires = found.held;
  if (wants_tunnel && found.tunnel && !found.is_tunnel_attached)
    changes.attach_tunnel = found.tunnel;
  changes.detach_tunnel = !wants_tunnel;
  return changes;
}

void apply_node_hooks(const ProgramStore& programs, const std::filesystem::path& bpffs,
                      const NodeHookChanges& changes, const NodeHooks& found, Outcome& outcome) {
  if (changes.attach_tunnel)
    attach(programs, KUBECNI_ON_TUNNEL, *changes.attach_tunnel, kTunnelPrograms, outcome);
  for (const Device& device : changes.attach_wires)
    attach(programs, KUBECNI_ON_WIRE, device, kWirePrograms, outcome);
  for (const Device& device : changes.detach_wires)
    outcome.apply(detach_programs(bpffs, KUBECNI_ON_WIRE, device),
                  std::string("detached ") + kWirePrograms + " from " + device.name);
  if (!changes.detach_tunnel) return;
  // A device that has gone may have left pins.
  const auto detached =
      detach_programs(bpffs, KUBECNI_ON_TUNNEL, found.tunnel.value_or(Device{0, kTunnelName}));
  if (!detached || found.is_tunnel_held)
    outcome.apply(detached, std::string("detached ") + kTunnelPrograms);
}

}  // namespace kubecni
