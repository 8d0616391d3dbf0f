#pragma once

#include "base/result.hpp"

#include <bpf/libbpf.h>

#include <linux/bpf.h>

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
  /// Why they are those that do not ask the kernel's conntrack; empty: they do.
  std::string no_conntrack_reason;
};

/// Loads the programs of this build on the maps pinned in `maps_dir`, and pins
/// there those that are missing. They are built twice: to ask the kernel's
/// conntrack who carries a flow, and for kernels that cannot be asked (before
/// 5.18, without BTF, or without the module nf_conntrack). The first is tried first.
/// Errors: EPERM no CAP_BPF or CAP_NET_ADMIN; EINVAL a pinned map has another
/// layout; the verifier's, with the end of its log.
Result<LoadedPrograms> load_programs(const std::filesystem::path& maps_dir);

/// The same, only those that do not ask.
Result<BpfObject> load_programs_without_conntrack(const std::filesystem::path& maps_dir);

/// Loads the programs on maps of their own and lets them go. Returns why those that ask
/// conntrack are not to be had; empty: they are. Errors: as load_programs().
Result<std::string> try_programs();

/// What the kernel knows of a loaded program.
Result<bpf_prog_info> program_info(int prog_fd);

/// Whether the loaded program `prog_fd` is one that asks conntrack.
Result<bool> asks_conntrack(int prog_fd);

}  // namespace kubecni
