#include "base/file.hpp"
#include "dataplane/program.hpp"
#include "kubecni/maps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace kubecni::test {
namespace {

using testing::HasSubstr;

std::string architecture() {
  auto page = read_file(KUBECNI_SOURCE_DIR "/docs/architecture.md");
  return page ? *page : page.error().what;
}

/// "`endpoints`, `flows`"
std::string listed(const std::string& words) {
  std::string text = "`" + words + "`";
  for (auto at = text.find(' '); at != text.npos; at = text.find(' ', at + 4))
    text.replace(at, 1, "`, `");
  return text;
}

TEST(ArchitecturePage, ListsEveryProgramWithItsHookAndMaps) {
  std::string table = "| program | hook | of each | maps |\n| --- | --- | --- | --- |\n";
  for (const Program& program : kPrograms)
    table += std::string("| `") + program.name + "` | " + name_of(program.hook) + " | " +
             name_of(program.kind) + " | " + listed(program.maps) + " |\n";

  EXPECT_THAT(architecture(), HasSubstr(table)) << "the table has to be:\n" << table;
}

TEST(ArchitecturePage, NamesEveryMap) {
  for (const char* map : {
#define X(name, map_type, flags, capacity, key_type, value_type) #name,
           KUBECNI_MAPS(X)
#undef X
       })
    EXPECT_THAT(architecture(), HasSubstr(std::string("`") + map + "`"));
}

}  // namespace
}  // namespace kubecni::test
