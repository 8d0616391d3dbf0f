#include "config/reference.hpp"

#include "base/file.hpp"
#include "config/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::HasSubstr;

TEST(ReferencePage, HasTheTableOfTheSettings) {
  const auto page = read_file(KUBECNI_SOURCE_DIR "/docs/reference.md");
  ASSERT_TRUE(page) << page.error().what;

  EXPECT_EQ(with_settings_tables(*page), *page)
      << "docs/reference.md and config/settings.hpp differ: run `ninja -C build reference`";
  for (const char* name : {"plugin", "daemon", "list"})
    EXPECT_THAT(*page, HasSubstr(std::string("<!-- settings: ") + name + " -->\n"));
}

TEST(ReferencePage, GetsARowForEachSetting) {
  const std::string page = with_settings_tables(
      "a\n<!-- settings: plugin -->\nold\n<!-- end -->\n"
      "<!-- settings: daemon -->\n<!-- end -->\n<!-- settings: list -->\n<!-- end -->\nz\n");

  EXPECT_TRUE(page.starts_with("a\n<!-- settings: plugin -->\n\n| key |")) << page;
  EXPECT_TRUE(page.ends_with("<!-- end -->\nz\n")) << page;
  EXPECT_THAT(page, testing::Not(HasSubstr("\nold\n")));
  EXPECT_THAT(page, HasSubstr("\n| `mtu` | "));
  EXPECT_THAT(page, HasSubstr("\n| `--vxlan-port` | 8472 | "));
  EXPECT_THAT(page, HasSubstr("\n| `chain` | | "));
}

TEST(Settings, HaveAMeaningForTheReader) {
  for (const Setting& setting : kSettings) {
    EXPECT_FALSE(setting.meaning.empty()) << setting.key;
    EXPECT_TRUE(!is_of_daemon(setting) || !setting.help.empty()) << setting.key;
    EXPECT_EQ(setting.type == Type::kChoice, !setting.allowed.empty()) << setting.key;
    EXPECT_EQ(setting.type == Type::kNumber, setting.least < setting.most) << setting.key;
  }
}

}  // namespace
}  // namespace kubecni::test
