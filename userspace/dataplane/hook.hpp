#pragma once

#include "base/result.hpp"
#include "dataplane/program.hpp"
#include "state/attach_kind.hpp"

#include <filesystem>

namespace kubecni {

/// Whether the kernel has tcx: 6.6 and later.
bool has_tcx();

/// Attaches `prog_fd` as `program` to `device`, replacing our own older programs, wherever their
/// links are pinned; foreign programs stay. A program of ours is known by its name and its map
/// exit_counts. The attachment outlives every process: a tcx link is pinned in `links_dir`, and a
/// filter belongs to the device.
/// Uses the `preferred` kind if available, else the other; but keeps an existing tcx link of ours.
/// Each attach and detach by tcx waits for an RCU grace period with the RTNL lock held: for some 10
/// ms no pod of the node can be added or deleted. A filter attaches at once and goes with its
/// device, but occupies the place of an ingress qdisc that others may want.
/// Waits up to 1 s for a link of the same program that has just lost its last pin.
/// Errors: ENODEV no such device; EPERM no CAP_NET_ADMIN and CAP_BPF; EBUSY (on clsact) a foreign
/// filter is at our place; ENOTSUP this kernel has no such hook.
Result<AttachKind> attach(const std::filesystem::path& links_dir, const Program& program,
                          const Device& device, int prog_fd,
                          AttachKind preferred = AttachKind::kTcx);

/// The same on the clsact qdisc, whether or not the kernel has tcx.
Result<> attach_clsact(const Program& program, const Device& device, int prog_fd);

/// Undoes attach(), and takes off any other version of our program; an absent program or device is
/// success.
Result<> detach(const std::filesystem::path& links_dir, const Program& program,
                const Device& device);

/// Whether any version of our program is at the hook.
Result<bool> is_held(const std::filesystem::path& links_dir, const Program& program,
                     const Device& device);

/// Whether the program with the kernel's id `prog_id` is attached here, and no other version of our
/// program runs beside it.
Result<bool> is_attached(const std::filesystem::path& links_dir, const Program& program,
                         const Device& device, unsigned prog_id);

}  // namespace kubecni
