#include "state/policy_mark.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

TEST(PolicyMark, IsThereWhileTheClusterHasPolicies) {
  const TempDir dir;
  EXPECT_FALSE(has_policies(dir.path()));

  ASSERT_TRUE(mark_policies(dir.path(), true));
  EXPECT_TRUE(has_policies(dir.path()));

  for (int time = 0; time < 2; ++time) {
    ASSERT_TRUE(mark_policies(dir.path(), false));
    EXPECT_FALSE(has_policies(dir.path()));
  }
}

}  // namespace
}  // namespace kubecni::test
