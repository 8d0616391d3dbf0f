#include "state/policy_status.hpp"

#include "base/file.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni::test {
namespace {

PolicyStatus with_everything() {
  return {.mode = "enforced",
          .origin = {.policy_file = "/p.json",
                     .kubeconfig = "/k.conf",
                     .api_servers = {"https://192.0.2.1:6443"},
                     .ca_file = "/ca.pem",
                     .token_file = "/token",
                     .is_insecure = true},
          .policies = 3,
          .revision = 7,
          .forced_revision = 6,
          .seconds_to_force = 0.25,
          .awaits_peers = true,
          .error = "no table",
          .broken = {{"shop/odd", "no such operator"}},
          .pods = {{.pod = "shop/web",
                    .addresses = {"10.200.1.2", "fd00::2"},
                    .is_known = true,
                    .ingress = {"in_1", {"shop/a", "shop/b"}},
                    .egress = {"eg_1", {"shop/a"}}}}};
}

TEST(PolicyStatus, IsReadAsItWasWritten) {
  const TempDir dir;

  ASSERT_TRUE(write_policy_status(dir.path(), with_everything()));

  const auto read = read_policy_status(dir.path());
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(*read, with_everything());
}

TEST(PolicyStatus, IsNotWrittenWithoutAChange) {
  const TempDir dir;
  const auto path = dir.path() / "policies.json";
  ASSERT_TRUE(write_policy_status(dir.path(), with_everything()));
  const auto before = identify(path).value();

  ASSERT_TRUE(write_policy_status(dir.path(), with_everything()));
  EXPECT_EQ(identify(path).value(), before);

  ASSERT_TRUE(write_policy_status(dir.path(), {}));
  EXPECT_NE(identify(path).value(), before);
}

TEST(PolicyStatus, IsEmptyBeforeTheDaemonReported) {
  const TempDir dir;

  EXPECT_FALSE(read_policy_status(dir.path()).value().has_value());
}

TEST(PolicyStatus, WithAWrongTypeIsDamagedAndMissingMembersHaveDefaults) {
  for (const char* text : {"", "[]", R"({"mode": 1})", R"({"pods": [{"known": "yes"}]})"})
    EXPECT_EQ(parse_policy_status(text).error().code, EBADMSG) << text;

  EXPECT_EQ(parse_policy_status("{}").value(), PolicyStatus());
}

}  // namespace
}  // namespace kubecni::test
