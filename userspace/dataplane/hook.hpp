#pragma once

#include "base/result.hpp"
#include "dataplane/program.hpp"
#include "state/attach_kind.hpp"

#include <filesystem>

namespace kubecni {

/// Whether the kernel has tcx: 6.6 and later.
bool has_tcx();

/// Attaches `prog_fd` as `program` to `device`, in place of our own older program;
/// programs of others stay. Outlives every process: a tcx link is pinned in
/// `links_dir`, and a filter belongs to the device.
/// Takes the `preferred` kind where it is to be had, else the other; but a tcx link
/// of ours that is there is kept. Each attach and each detach by tcx waits for an RCU
/// grace period with the RTNL lock held, some 10 ms in which no pod of the node is
/// added or deleted. A filter is attached at once and goes with its device, but
/// takes the place of an ingress qdisc that somebody else may want.
/// Errors: ENODEV no such device; EPERM no CAP_NET_ADMIN and CAP_BPF; EBUSY (on
/// clsact) a foreign filter is at our place; ENOTSUP this kernel has no such hook.
Result<AttachKind> attach(const std::filesystem::path& links_dir, const Program& program,
                          const Device& device, int prog_fd,
                          AttachKind preferred = AttachKind::kTcx);

/// The same on the clsact qdisc, whether or not the kernel has tcx.
Result<> attach_clsact(const Program& program, const Device& device, int prog_fd);

/// Ends what attach() began; absent is success, also the device.
Result<> detach(const std::filesystem::path& links_dir, const Program& program,
                const Device& device);

/// Whether anything of ours is at the hook, in whatever version.
Result<bool> is_held(const std::filesystem::path& links_dir, const Program& program,
                     const Device& device);

/// Whether the program with the kernel's id `prog_id` runs at the hook.
Result<bool> is_attached(const std::filesystem::path& links_dir, const Program& program,
                         const Device& device, unsigned prog_id);

}  // namespace kubecni
