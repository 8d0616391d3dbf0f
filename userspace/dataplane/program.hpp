#pragma once

#include "kubecni/abi.h"

#include <array>
#include <string>
#include <vector>

namespace kubecni {

/// A program of ours, and where it runs: a row of include/kubecni/programs.h.
struct Program {
  const char* name;
  kubecni_programs bit;  ///< in an exit reason's programs
  kubecni_hook hook;
  kubecni_device kind;  ///< of the devices that get it
  const char* maps;     ///< "endpoints flows": each pair named without the family
};

inline constexpr std::array kPrograms{
#define X(name, NAME, hook, device, maps) \
  Program{#name, KUBECNI_BY_##NAME, KUBECNI_HOOK_##hook, KUBECNI_ON_##device, maps},
    KUBECNI_PROGRAMS(X)
#undef X
};

/// A device of the calling thread's network namespace.
struct Device {
  unsigned ifindex = 0;
  std::string name;
};

/// The programs of a device of this kind, in attach order.
std::vector<Program> programs_on(kubecni_device kind);

/// For messages: "tc ingress", and "pod".
const char* name_of(kubecni_hook hook);
const char* name_of(kubecni_device kind);

}  // namespace kubecni
