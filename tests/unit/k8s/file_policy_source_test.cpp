#include "k8s/file_policy_source.hpp"

#include "base/file.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

constexpr const char* kOnePolicy =
    R"({"kind":"List","items":[{"kind":"NetworkPolicy","metadata":{"namespace":"a","name":"p"}}]})";

TEST(FilePolicySource, ReadsTheFileAgainOnEachEdit) {
  const TempDir dir;
  const auto file = dir / "policies.json";
  auto source = FilePolicySource::open(file).value();

  EXPECT_FALSE(source->take());
  EXPECT_FALSE(source->is_known());
  EXPECT_NE(source->error(), "");

  ASSERT_TRUE(write_file_atomically(file, kOnePolicy));
  EXPECT_TRUE(source->take());
  EXPECT_TRUE(source->is_known());
  EXPECT_EQ(source->error(), "");
  EXPECT_EQ(source->read().policies.at(0)->key(), "a/p");

  EXPECT_FALSE(source->take()) << "nothing is new";
}

TEST(FilePolicySource, ABrokenFileLeavesTheLastObjects) {
  const TempDir dir;
  const auto file = dir / "policies.json";
  ASSERT_TRUE(write_file_atomically(file, kOnePolicy));
  auto source = FilePolicySource::open(file).value();
  ASSERT_TRUE(source->take());

  ASSERT_TRUE(write_file_atomically(file, "{"));

  EXPECT_FALSE(source->take());
  EXPECT_NE(source->error(), "");
  EXPECT_TRUE(source->is_known());
  EXPECT_EQ(source->read().policies.size(), 1u);
}

}  // namespace
}  // namespace kubecni::test
