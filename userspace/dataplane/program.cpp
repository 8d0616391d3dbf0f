#include "dataplane/program.hpp"

#include <algorithm>
#include <iterator>

namespace kubecni {

std::vector<Program> programs_on(kubecni_device kind) {
  std::vector<Program> found;
  std::ranges::copy_if(kPrograms, std::back_inserter(found),
                       [&](const Program& program) { return program.kind == kind; });
  return found;
}

const char* name_of(kubecni_hook hook) {
  switch (hook) {
    case KUBECNI_HOOK_TC_INGRESS:
      return "tc ingress";
    case KUBECNI_HOOK_TC_EGRESS:
      return "tc egress";
  }
  return "?";
}

const char* name_of(kubecni_device kind) {
  switch (kind) {
    case KUBECNI_ON_POD:
      return "pod";
    case KUBECNI_ON_WIRE:
      return "wire";
    case KUBECNI_ON_TUNNEL:
      return "tunnel";
  }
  return "?";
}

}  // namespace kubecni
