#include "support/sandbox.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdio>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (GTEST_FLAG_GET(list_tests)) return RUN_ALL_TESTS();
  if (::geteuid() != 0) {
    std::puts("[  SKIPPED ] needs root, for namespaces and eBPF");  // what ctest looks for
    return 0;
  }
  return kubecni::test::run_in_sandbox([] { return RUN_ALL_TESTS(); });
}
