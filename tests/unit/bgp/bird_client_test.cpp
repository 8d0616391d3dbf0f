#include "bgp/bird_client.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni::test {
namespace {

using testing::ElementsAre;

TEST(BirdAnswer, EndsWithTheLineWhoseCodeABlankFollows) {
  std::string text =
      "0002-Reading configuration from /run/kube-cni/bird.conf\n0003 Reconfigured\n0001 more\n";
  std::vector<BirdLine> lines;

  ASSERT_TRUE(take_answer(text, lines));

  EXPECT_THAT(lines, ElementsAre(BirdLine{2, "Reading configuration from /run/kube-cni/bird.conf"},
                                 BirdLine{3, "Reconfigured"}));
  EXPECT_EQ(text, "0001 more\n");
}

TEST(BirdAnswer, LinesWithoutACodeHaveTheOneBefore) {
  std::string text = "1002-one\n two\n+a message to all\n0000 \n";
  std::vector<BirdLine> lines;

  ASSERT_TRUE(take_answer(text, lines));

  EXPECT_THAT(lines, ElementsAre(BirdLine{1002, "one"}, BirdLine{1002, "two"}, BirdLine{0, ""}));
}

TEST(BirdAnswer, ThatIsCutOffIsLeftForMore) {
  const std::string whole = "1002-one\n0000 \n";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::string text = whole.substr(0, size);
    std::vector<BirdLine> lines;

    EXPECT_FALSE(take_answer(text, lines)) << size;

    EXPECT_EQ(text, whole.substr(0, size));
    EXPECT_THAT(lines, ElementsAre());
  }
}

TEST(BirdClient, WhereNobodyListensIsAnError) {
  const TempDir dir;

  EXPECT_EQ(BirdClient::connect(dir.path() / "none").error().code, ENOENT);
  EXPECT_EQ(BirdClient::connect("/" + std::string(200, 'x')).error().code, ENAMETOOLONG);
}

}  // namespace
}  // namespace kubecni::test
