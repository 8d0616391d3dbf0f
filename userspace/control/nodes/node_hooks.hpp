#pragma once

#include "control/outcome.hpp"
#include "dataplane/program_store.hpp"
#include "net/link.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace kubecni {

/// The node's tunnel device, if it is one of `links`.
std::optional<Device> find_tunnel(const std::vector<Link>& links);

/// What there is of the programs of nodes' devices.
struct NodeHooks {
  std::set<std::string> attached;   ///< devices that have all of theirs, as they are pinned
  std::vector<Device> held;         ///< devices that are not wires, but have programs of a wire
  std::optional<Device> tunnel;     ///< empty: there is no such device
  bool is_tunnel_attached = false;  ///< it has all of its programs, as they are pinned
  bool is_tunnel_held = false;      ///< it has programs of ours, in whatever version
};

struct NodeHookChanges {
  std::vector<Device> attach_wires;
  std::vector<Device> detach_wires;
  std::optional<Device> attach_tunnel;
  bool detach_tunnel = false;
};

/// `wires` are the devices that are to have from_wire and to_wire. A device of which the kernel
/// does not tell counts as one without programs.
NodeHooks read_node_hooks(const ProgramStore& programs, const std::filesystem::path& bpffs,
                          const std::vector<Link>& links,
                          const std::map<std::string, Device>& wires);

/// Pure.
NodeHookChanges plan_node_hooks(const std::map<std::string, Device>& wires, bool wants_tunnel,
                                const NodeHooks& found);

/// Goes on after an error.
void apply_node_hooks(const ProgramStore& programs, const std::filesystem::path& bpffs,
                      const NodeHookChanges& changes, const NodeHooks& found, Outcome& outcome);

}  // namespace kubecni
