// kube-cni: the CNI plugin. A container runtime executes it, with the CNI_*
// variables in the environment and the network configuration on standard input.

#include "base/file.hpp"
#include "plugin.hpp"

#include <unistd.h>

#include <cstdlib>
#include <iostream>

namespace {
constexpr std::size_t kMaxInputBytes = 16 << 20;
}

int main() {
  if (!std::getenv("CNI_COMMAND")) {
    std::cerr
        << "kube-cni " KUBECNI_VERSION
           ", a CNI plugin with an eBPF dataplane. A container runtime executes it; it speaks "
           "CNI 0.1.0 to 1.1.0.\n";
    return 0;
  }
  const auto input = kubecni::read_all(STDIN_FILENO, kMaxInputBytes);
  if (!input) std::cerr << "kube-cni: standard input: " << input.error().what << "\n";
  const auto answer = kubecni::run_plugin(&std::getenv, input ? *input : "");
  std::cout << answer.output << std::flush;
  return answer.exit_status;
}
