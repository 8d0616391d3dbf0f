#include "state/node_info.hpp"

#include "base/file.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace kubecni::test {
namespace {

using testing::HasSubstr;

NodeInfo node_info() {
  return {
      .name = "n1",
      .pod_cidrs = {IpNet::parse("10.200.7.0/24").value(), IpNet::parse("2001:db8:7::/64").value()},
      .mtu = 1450};
}

TEST(NodeInfo, IsReadAsItWasSaved) {
  const TempDir dir;

  ASSERT_TRUE(save_node_info(dir.path(), node_info()));
  const auto read = load_node_info(dir.path());

  ASSERT_TRUE(read && *read);
  EXPECT_EQ(**read, node_info());
}

TEST(NodeInfo, MayHaveNoPodCidrYet) {
  const TempDir dir;
  const NodeInfo bare{.name = "n1", .pod_cidrs = {}, .mtu = 1500};

  ASSERT_TRUE(save_node_info(dir.path(), bare));

  EXPECT_EQ(load_node_info(dir.path()).value(), bare);
}

TEST(NodeInfo, IsEmptyBeforeTheDaemonLearnedAnything) {
  const TempDir dir;

  const auto in_empty_folder = load_node_info(dir.path());
  const auto without_folder = load_node_info(dir / "absent");

  ASSERT_TRUE(in_empty_folder && without_folder);
  EXPECT_FALSE(*in_empty_folder);
  EXPECT_FALSE(*without_folder);
}

class DamagedNodeInfo : public testing::TestWithParam<const char*> {};

TEST_P(DamagedNodeInfo, IsReportedWithItsPathAndTheWayOut) {
  const TempDir dir;
  ASSERT_TRUE(write_file_atomically(dir / "node.json", GetParam()));

  const auto read = load_node_info(dir.path());

  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, EBADMSG);
  EXPECT_THAT(read.error().what, HasSubstr((dir / "node.json").string()));
  EXPECT_THAT(read.error().what, HasSubstr("remove it"));
}

INSTANTIATE_TEST_SUITE_P(
    Damaged, DamagedNodeInfo,
    testing::Values("", "{", "{}", "[]", "null", R"({"name": "n1", "mtu": 1500})",
                    R"({"name": 7, "podCIDRs": [], "mtu": 1500})",
                    R"({"name": "n1", "podCIDRs": [], "mtu": "1500"})",
                    R"({"name": "n1", "podCIDRs": [], "mtu": 1e300})",
                    R"({"name": "n1", "podCIDRs": [], "mtu": -1})",
                    R"({"name": "n1", "podCIDRs": [7], "mtu": 1500})",
                    R"({"name": "n1", "podCIDRs": ["10.200.7.0"], "mtu": 1500})"));

}  // namespace
}  // namespace kubecni::test
