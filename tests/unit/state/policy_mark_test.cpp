#include "state/policy_mark.hpp"

#include "base/boot_id.hpp"
#include "base/file.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

TEST(PolicyMark, IsThereWhileTheClusterHasPolicies) {
  const TempDir dir;
  EXPECT_FALSE(has_policies(dir.path()));

  ASSERT_TRUE(mark_policies(dir.path(), {"shop"}));
  EXPECT_TRUE(has_policies(dir.path()));

  for (int time = 0; time < 2; ++time) {
    ASSERT_TRUE(mark_policies(dir.path(), {}));
    EXPECT_FALSE(has_policies(dir.path()));
  }
}

TEST(PolicyMark, APodMayBeSelectedIfItsNamespaceHasPolicies) {
  const TempDir dir;
  EXPECT_FALSE(may_be_selected(dir.path(), "shop/web")) << "there are no policies";

  ASSERT_TRUE(mark_policies(dir.path(), {"shop", "staging"}));

  EXPECT_TRUE(may_be_selected(dir.path(), "shop/web"));
  EXPECT_TRUE(may_be_selected(dir.path(), "staging/web"));
  EXPECT_FALSE(may_be_selected(dir.path(), "sho/web"));
  EXPECT_FALSE(may_be_selected(dir.path(), "shops/web"));
  EXPECT_FALSE(may_be_selected(dir.path(), "hop/web"));
  EXPECT_FALSE(may_be_selected(dir.path(), "")) << "it is no pod";
}

TEST(PolicyMark, OfUnknownContentMayConcernEveryPod) {
  const TempDir dir;
  ASSERT_TRUE(write_file_atomically(dir.path() / "policies", "The cluster has policies.\n"));

  EXPECT_TRUE(may_be_selected(dir.path(), "shop/web"));
  EXPECT_FALSE(may_be_selected(dir.path(), "")) << "it is no pod";

  ASSERT_TRUE(mark_policies(dir.path(), {"staging"}));
  EXPECT_FALSE(may_be_selected(dir.path(), "shop/web"));
}

TEST(PolicyMark, OfAnotherBootMayConcernEveryPod) {
  const TempDir dir;
  ASSERT_TRUE(mark_policies(dir.path(), {"shop"}));
  std::string text = read_file(dir.path() / "policies").value();
  const auto boot = text.find(current_boot_id());
  ASSERT_NE(boot, text.npos);
  text[boot] = text[boot] == '0' ? '1' : '0';
  ASSERT_TRUE(write_file_atomically(dir.path() / "policies", text));

  EXPECT_TRUE(has_policies(dir.path()));
  EXPECT_TRUE(may_be_selected(dir.path(), "tools/ci"));
  EXPECT_FALSE(may_be_selected(dir.path(), "")) << "it is no pod";
}

}  // namespace
}  // namespace kubecni::test
