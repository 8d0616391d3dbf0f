#pragma once

#include "base/result.hpp"
#include "doctor/finding.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// What this machine lets the dataplane do: kernel, rights, bpf file system, programs,
/// devices, nftables, settings, firewalls of others, MTU and offloads. Tries things rather than
/// guesses them: programs are loaded and not attached, devices and rules are made in a
/// network namespace that goes at once. Leaves nothing but modules that the kernel
/// loaded for it. Takes some 0.3 s, and a thread. `bpffs` is where the pins are to be.
/// Runs in the node's network namespace, as root.
Findings examine_machine(const std::filesystem::path& bpffs);

// Its parts.
Findings examine_kernel();
Findings examine_programs(const std::filesystem::path& bpffs);
Findings try_devices_and_rules();
Findings examine_node();

/// The chains of `chains`, what Nftables::list_chains() gave, that drop at the hook forward what
/// no rule accepts: "FORWARD of table ip filter". Pure.
Result<std::vector<std::string>> dropping_forward_chains(std::string_view chains);

}  // namespace kubecni
