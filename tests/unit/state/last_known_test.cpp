#include "state/last_known.hpp"

#include "base/file.hpp"
#include "support/cluster.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni::test {
namespace {

ClusterView view_with(const Incumbents& decided) {
  ClusterView view = view_of({});
  view.self = decided.self;
  view.owners = decided.cidrs;
  view.address_owners = decided.addresses;
  return view;
}

TEST(LastKnown, IsReadAsItWasWritten) {
  const TempDir dir;
  const LastKnown known{
      {{node("n1", "192.0.2.1", "10.200.1.0/24")}, {{"n9", "no PodCIDR", {addr("192.0.2.9")}}}},
      {.cidrs = {{net("10.200.1.0/24"), "n1"}},
       .addresses = {{addr("192.0.2.1"), "n1"}, {addr("2001:db8::1"), "n1"}},
       .self = node("n1", "192.0.2.1", "10.200.1.0/24")}};

  ASSERT_TRUE(save_last_known(dir.path(), known.snapshot, view_with(known.decided)));
  const auto read = load_last_known(dir.path());

  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->snapshot, known.snapshot);
  EXPECT_EQ((*read)->decided.cidrs, known.decided.cidrs);
  EXPECT_EQ((*read)->decided.addresses, known.decided.addresses);
  EXPECT_EQ((*read)->decided.self, known.decided.self);
}

TEST(LastKnown, IsReadAlsoFromABuildThatKeptNoAddresses) {
  const TempDir dir;
  ASSERT_TRUE(
      write_file_atomically(dir.path() / "cluster.json",
                            R"({"nodes": [], "skipped": [], "owners": {"10.200.1.0/24": "n1"}})"));

  const auto read = load_last_known(dir.path());

  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->decided.cidrs.size(), 1u);
}

TEST(LastKnown, IsEmptyBeforeAnythingWasSaved) {
  const TempDir dir;

  const auto read = load_last_known(dir.path());

  ASSERT_TRUE(read);
  EXPECT_FALSE(*read);
}

TEST(LastKnown, IsAnErrorWhenTheFileIsDamaged) {
  const TempDir dir;
  for (const char* damaged :
       {"", "{", "[]", R"({"nodes": [{"name": 7}]})",
        R"({"nodes": [], "skipped": [], "owners": {"x": "n1"}})",
        R"({"nodes": [], "skipped": [], "owners": {}, "addressOwners": {"x": "n1"}})"}) {
    ASSERT_TRUE(write_file_atomically(dir.path() / "cluster.json", damaged));

    const auto read = load_last_known(dir.path());

    ASSERT_FALSE(read) << damaged;
    EXPECT_EQ(read.error().code, EBADMSG) << damaged;
  }
}

}  // namespace
}  // namespace kubecni::test
