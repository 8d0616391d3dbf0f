#include "base/file.hpp"
#include "dataplane/counters.hpp"
#include "dataplane/program.hpp"

#include <gtest/gtest.h>

#include <string>

namespace kubecni::test {
namespace {

std::string programs_of(const ExitReason& reason) {
  std::string names;
  for (const Program& program : kPrograms)
    if ((reason.programs & program.bit) != 0)
      names += std::string(names.empty() ? "" : ", ") + program.name;
  return names;
}

TEST(CountersPage, ListsEveryExitReasonAsTheKernelCountsIt) {
  const auto page = read_file(KUBECNI_SOURCE_DIR "/docs/counters.md");
  ASSERT_TRUE(page) << page.error().what;

  std::string table = "| --- | --- | --- |\n";
  for (const ExitReason& reason : kExitReasons)
    table += std::string("| `") + reason.name + "` | " + programs_of(reason) + " | " + reason.text +
             " |\n";

  EXPECT_TRUE(page->ends_with(table)) << "the table has to be:\n" << table;
}

}  // namespace
}  // namespace kubecni::test
