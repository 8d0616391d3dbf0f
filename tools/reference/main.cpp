// Writes the tables of settings into docs/reference.md, whose path is the argument.

#include "base/file.hpp"
#include "config/reference.hpp"

#include <iostream>

int main(int argc, char** argv) {
  using namespace kubecni;
  if (argc != 2) {
    std::cerr << "usage: kubecni_reference FILE\n";
    return 2;
  }
  const auto page = read_file(argv[1]);
  const auto written = page ? write_file_atomically(argv[1], with_settings_tables(*page))
                            : Result<>(std::unexpected(page.error()));
  if (!written) std::cerr << "kubecni_reference: " << written.error().what << "\n";
  return written ? 0 : 1;
}
