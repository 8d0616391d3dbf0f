#include "support/program.hpp"

#include <cstdlib>

namespace kubecni::test {

std::string program(const std::string& name) {
  const char* folder = std::getenv("KUBECNI_BIN");
  return std::string(folder != nullptr ? folder : KUBECNI_BUILT) + "/" + name;
}

}  // namespace kubecni::test
