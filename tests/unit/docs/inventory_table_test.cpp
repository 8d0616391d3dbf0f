#include "base/file.hpp"
#include "state/inventory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace kubecni::test {
namespace {

TEST(Inventory, IsTheTableOfTheArchitecturePage) {
  const auto page = read_file(KUBECNI_SOURCE_DIR "/docs/architecture.md");
  ASSERT_TRUE(page) << page.error().what;

  std::string table =
      "| thing | what it is | made by | brought back by |\n| --- | --- | --- | --- |\n";
  for (const MadeThing& thing : kMadeThings)
    table += "| " + std::string(thing.name) + " | " + std::string(thing.what) + " | " +
             std::string(thing.made_by) + " | " + std::string(thing.restored_by) + " |\n";

  EXPECT_THAT(*page, testing::HasSubstr(table)) << "the table has to be:\n" << table;
}

TEST(Inventory, NamesEachThingOnce) {
  std::set<std::string_view> names;
  for (const MadeThing& thing : kMadeThings) EXPECT_TRUE(names.insert(thing.name).second);
}

}  // namespace
}  // namespace kubecni::test
