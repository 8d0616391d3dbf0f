// kube-cni: the CNI plugin. A container runtime executes it, with the CNI_*
// variables in the environment and the network configuration on standard input.

#include "base/file.hpp"
#include "cni_error.hpp"
#include "inherited.hpp"
#include "plugin.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

namespace {

constexpr std::size_t kMaxInputBytes = 16 << 20;
constexpr auto kUnheardCode = static_cast<unsigned>(kubecni::CniCode::kIo);

/// Whether the runtime can have received all of it.
bool print(const std::string& output) {
  std::cout << output << std::flush;
  return std::cout.good();
}

}  // namespace

int main() {
  const auto start = std::chrono::steady_clock::now();
  kubecni::shed_inherited_state();
  if (!std::getenv("CNI_COMMAND")) {
    std::cerr
        << "kube-cni " KUBECNI_VERSION
           ", a CNI plugin with an eBPF dataplane. A container runtime executes it; it speaks "
           "CNI 0.1.0 to 1.1.0.\n";
    return 0;
  }
  const auto input = kubecni::read_all(STDIN_FILENO, kMaxInputBytes);
  const auto answer =
      input ? kubecni::run_plugin(&std::getenv, *input) : kubecni::refuse_input(input.error());
  const bool heard = print(answer.output);
  const unsigned error_code = heard ? answer.error_code : kUnheardCode;
  kubecni::count_answer(&std::getenv, input.value_or(""), error_code,
                        std::chrono::steady_clock::now() - start);
  if (heard) return answer.exit_status;
  std::cerr << "kube-cni: the answer could not be written to standard output\n";
  if (input) kubecni::undo_unheard(&std::getenv, *input, answer);
  return EXIT_FAILURE;
}
