#include "daemon/last_known.hpp"

#include "base/file.hpp"
#include "builders.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni::test {
namespace {

TEST(LastKnown, IsReadAsItWasWritten) {
  const TempDir dir;
  const LastKnown known{
      {{node("n1", "192.0.2.1", "10.200.1.0/24")}, {{"n9", "no PodCIDR", {addr("192.0.2.9")}}}},
      {{net("10.200.1.0/24"), "n1"}}};

  ASSERT_TRUE(save_last_known(dir.path(), known));
  const auto read = load_last_known(dir.path());

  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->snapshot, known.snapshot);
  EXPECT_EQ((*read)->owners, known.owners);
}

TEST(LastKnown, IsEmptyBeforeAnythingWasSaved) {
  const TempDir dir;

  const auto read = load_last_known(dir.path());

  ASSERT_TRUE(read);
  EXPECT_FALSE(*read);
}

TEST(LastKnown, IsAnErrorWhenTheFileIsDamaged) {
  const TempDir dir;
  for (const char* damaged : {"", "{", "[]", R"({"nodes": [{"name": 7}]})",
                              R"({"nodes": [], "skipped": [], "owners": {"x": "n1"}})"}) {
    ASSERT_TRUE(write_file_atomically(dir.path() / "cluster.json", damaged));

    const auto read = load_last_known(dir.path());

    ASSERT_FALSE(read) << damaged;
    EXPECT_EQ(read.error().code, EBADMSG) << damaged;
  }
}

}  // namespace
}  // namespace kubecni::test
