#pragma once

#include "support/pod.hpp"
#include "support/process.hpp"

#include <chrono>
#include <string>

namespace kubecni::test {

// Of daemons and traffic on an emulated machine.
inline constexpr std::chrono::minutes kPatience{5};

/// Whether this kernel can make what `ip link add` is told, in a namespace that has `lan1`.
inline bool can_make(const std::string& device) {
  const NetNs trial("trial");
  return run({.argv = {"sh", "-ec",
                       "ip link add lan1 type veth peer name lan2; ip link add " + device},
              .netns_fd = trial.fd()})
             .status == 0;
}

}  // namespace kubecni::test
