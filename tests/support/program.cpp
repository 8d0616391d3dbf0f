#include "support/program.hpp"

#include <cstdlib>

namespace kubecni::test {

std::string program(const std::string& name) {
  const char* folder = std::getenv("KUBECNI_BIN");
  return std::string(folder != nullptr ? folder : KUBECNI_BUILT) + "/" + name;
}

std::chrono::seconds at_once() {
  return std::chrono::seconds(std::getenv("KUBECNI_BIN") != nullptr ? 20 : 3);
}

}  // namespace kubecni::test
