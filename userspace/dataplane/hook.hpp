#pragma once

#include "base/result.hpp"
#include "kubecni/abi.h"
#include "state/attach_kind.hpp"

#include <array>
#include <filesystem>
#include <string>

namespace kubecni {

/// Where a program of ours runs. The name is that of the program, too.
struct Hook {
  const char* name;
  kubecni_programs program;
  bool ingress;  ///< of the device: what the pod, the wire or the tunnel sends
};

inline constexpr Hook kFromPod{"from_pod", KUBECNI_BY_FROM_POD, true};
inline constexpr Hook kToPod{"to_pod", KUBECNI_BY_TO_POD, false};
inline constexpr Hook kFromWire{"from_wire", KUBECNI_BY_FROM_WIRE, true};
inline constexpr Hook kToWire{"to_wire", KUBECNI_BY_TO_WIRE, false};
inline constexpr Hook kFromTunnel{"from_tunnel", KUBECNI_BY_FROM_TUNNEL, true};
inline constexpr Hook kToTunnel{"to_tunnel", KUBECNI_BY_TO_TUNNEL, false};
inline constexpr std::array kHooks{kFromPod, kToPod, kFromWire, kToWire, kFromTunnel, kToTunnel};

// The watching program of each pair comes first: from the moment on at which
// the other one redirects, no kernel flow may go unseen.
inline constexpr std::array kPodHooks{kToPod, kFromPod};
inline constexpr std::array kWireHooks{kToWire, kFromWire};
inline constexpr std::array kTunnelHooks{kToTunnel, kFromTunnel};

/// A device of the calling thread's network namespace.
struct Device {
  unsigned ifindex = 0;
  std::string name;
};

/// Whether the kernel has tcx: 6.6 and later.
bool has_tcx();

/// Attaches `prog_fd` at `hook` of `device`, in place of our own older program;
/// programs of others stay. Outlives every process: a tcx link is pinned in
/// `links_dir`, and a filter belongs to the device.
/// Takes the `preferred` kind where it is to be had, else the other; but a tcx link
/// of ours that is there is kept. Each attach and each detach by tcx waits for an RCU
/// grace period with the RTNL lock held, some 10 ms in which no pod of the node is
/// added or deleted. A filter is attached at once and goes with its device, but
/// takes the place of an ingress qdisc that somebody else may want.
/// Errors: ENODEV no such device; EPERM no CAP_NET_ADMIN and CAP_BPF; EBUSY (on
/// clsact) a foreign filter is at our place.
Result<AttachKind> attach(const std::filesystem::path& links_dir, const Hook& hook,
                          const Device& device, int prog_fd,
                          AttachKind preferred = AttachKind::kTcx);

/// The same on the clsact qdisc, whether or not the kernel has tcx.
Result<> attach_clsact(const Hook& hook, const Device& device, int prog_fd);

/// Ends what attach() began; absent is success, also the device.
Result<> detach(const std::filesystem::path& links_dir, const Hook& hook, const Device& device);

/// Whether anything of ours is at the hook, in whatever version.
Result<bool> is_held(const std::filesystem::path& links_dir, const Hook& hook,
                     const Device& device);

/// Whether the program with the kernel's id `prog_id` runs at the hook.
Result<bool> is_attached(const std::filesystem::path& links_dir, const Hook& hook,
                         const Device& device, unsigned prog_id);

}  // namespace kubecni
