#include "base/memory.hpp"

#include "base/file.hpp"

#include <gtest/gtest.h>

#include <string>

namespace kubecni {
namespace {

long resident_kb(const std::string& of) {
  const std::string text = read_file("/proc/self/status").value();
  return std::stol(text.substr(text.find(of) + of.size()));
}

TEST(Memory, PagesOfTheProgramAreGivenBackAndComeBack) {
  const long before_kb = resident_kb("RssFile:");

  give_back_memory();

  EXPECT_LT(resident_kb("RssFile:"), before_kb / 2);
  EXPECT_GT(resident_kb("RssAnon:"), 0);
}

}  // namespace
}  // namespace kubecni
