#pragma once

#include "base/result.hpp"
#include "kubecni/abi.h"

#include <bpf/libbpf.h>

#include <linux/bpf.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace kubecni {

struct CloseObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using BpfObject = std::unique_ptr<bpf_object, CloseObject>;

/// The programs of this build, in the kernel but not pinned.
struct LoadedPrograms {
  BpfObject object;
  /// Why they are the variant that does not ask the kernel's conntrack; empty: they ask it.
  std::string no_conntrack_reason;
};

/// Loads the programs of this build with the maps pinned in `maps_dir`, and pins missing ones. Flow
/// caches that are made have room for `max_flows` each.
/// There are two variants: one asks the kernel's conntrack who carries a flow; the other is for
/// kernels that cannot answer (before 6.0, without BTF, or without the module nf_conntrack). Tries
/// the first one first.
/// Errors: EPERM no CAP_BPF or CAP_NET_ADMIN; EINVAL a pinned map has another layout; the
/// verifier's, with the end of its log.
Result<LoadedPrograms> load_programs(const std::filesystem::path& maps_dir,
                                     std::uint32_t max_flows = KUBECNI_MAX_FLOWS);

/// Loads only the variant that does not ask.
Result<BpfObject> load_programs_without_conntrack(const std::filesystem::path& maps_dir,
                                                  std::uint32_t max_flows = KUBECNI_MAX_FLOWS);

/// Loads the programs with maps of their own, and discards them. Returns why the variant that asks
/// conntrack does not load; empty: it does. Errors: as load_programs().
Result<std::string> try_programs();

/// What the kernel says about a loaded program.
Result<bpf_prog_info> program_info(int prog_fd);

/// Whether the loaded program `prog_fd` asks conntrack.
Result<bool> asks_conntrack(int prog_fd);

}  // namespace kubecni
