#include "base/file.hpp"
#include "dataplane/counters.hpp"

#include <gtest/gtest.h>

#include <string>

namespace kubecni::test {
namespace {

TEST(CountersPage, ListsEveryExitReasonAsTheKernelCountsIt) {
  const auto page = read_file(KUBECNI_SOURCE_DIR "/docs/counters.md");
  ASSERT_TRUE(page) << page.error().what;

  std::string table = "| --- | --- |\n";
  for (const ExitReason& reason : kExitReasons)
    table += std::string("| `") + reason.name + "` | " + reason.text + " |\n";

  EXPECT_TRUE(page->ends_with(table)) << "the table has to be:\n" << table;
}

}  // namespace
}  // namespace kubecni::test
