#pragma once

#include "base/result.hpp"
#include "doctor/finding.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// What this machine lets the dataplane do: kernel, rights, bpf file system, programs, devices,
/// nftables, settings, foreign firewalls, MTU and offloads. It tries things instead of guessing: it
/// loads programs without attaching them, and makes devices and rules in a temporary network
/// namespace. Leaves nothing but modules that the kernel loaded for it. Takes some 0.3 s, and a
/// thread. `bpffs` is where the pins will be. Runs in the node's network namespace, as root.
Findings examine_machine(const std::filesystem::path& bpffs);

// Its parts.
Findings examine_kernel();
Findings examine_programs(const std::filesystem::path& bpffs);
Findings try_devices_and_rules();
Findings examine_node();

/// The chains among `chains`, the result of Nftables::list_chains(), that drop packets at the hook
/// forward unless a rule accepts them: "FORWARD of table ip filter". Pure.
Result<std::vector<std::string>> dropping_forward_chains(std::string_view chains);

}  // namespace kubecni
