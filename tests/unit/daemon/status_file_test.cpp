#include "daemon/status_file.hpp"

#include "state/daemon_status.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

TEST(StatusFile, SaysWhatTheDaemonKnows) {
  const TempDir dir;
  ClusterView view;
  view.skipped = {{"n3", "node n3: spec.podCIDR is not assigned yet"}};
  view.warnings = {{"n4", "InternalIP 8.8.4.4 is an address in the internet"}};

  ASSERT_TRUE(write_status(dir.path(), "n1", "file:/nodes.json", "", "off", view, {}));

  const auto status = read_daemon_status(dir.path());
  ASSERT_TRUE(status) << status.error().what;
  ASSERT_TRUE(*status);
  EXPECT_EQ((*status)->node_name, "n1");
  EXPECT_EQ((*status)->skipped.at(0).name, "n3");
  EXPECT_EQ((*status)->warnings.at(0).name, "n4");
}

}  // namespace
}  // namespace kubecni::test
