#include "control/bgp/bgp_controller.hpp"

#include "base/file.hpp"
#include "support/ip.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class BgpControllerTest : public testing::Test {
 protected:
  std::vector<std::string> errors_of(BgpController& bgp, const BirdConfig& wanted) {
    Outcome outcome{.controller = "bgp"};
    bgp.sync(wanted, false, outcome);
    return outcome.texts_of(ConditionKind::kFailed);
  }

  TempDir dir;
  TempDir run_dir;
};

TEST_F(BgpControllerTest, SaysThatBirdIsNotInstalled) {
  BgpController bgp(run_dir.path(), "/nowhere/bird");

  EXPECT_THAT(errors_of(bgp, {.router_id = addr("192.0.2.1")}),
              ElementsAre(HasSubstr("/nowhere/bird")));
  EXPECT_EQ(bgp.fd(), -1);
}

TEST_F(BgpControllerTest, AsksBirdOnceAboutAConfigurationThatItRefuses) {
  const auto asked = dir.path() / "asked";
  ASSERT_TRUE(write_file_atomically(
      dir.path() / "bird", "#!/bin/sh\necho . >>" + asked.string() + "\necho no >&2\nexit 1\n",
      0755));
  BgpController bgp(run_dir.path(), dir.path() / "bird");

  for (int round = 0; round < 3; ++round)
    EXPECT_THAT(errors_of(bgp, {.router_id = addr("192.0.2.1")}),
                ElementsAre(HasSubstr("BIRD refuses its new configuration")));

  EXPECT_EQ(read_file(asked).value(), ".\n");
}

TEST_F(BgpControllerTest, WithoutThePasswordWritesNothing) {
  BgpController bgp(run_dir.path(), "/nowhere/bird");

  EXPECT_THAT(
      errors_of(bgp,
                {.router_id = addr("192.0.2.1"),
                 .sessions = {{.peer = addr("192.0.2.2"), .password_file = "/nowhere/secret"}}}),
      Contains(HasSubstr("password of the BGP session with 192.0.2.2")));
  EXPECT_THAT(list_directory(run_dir.path()).value(), ElementsAre());
}

}  // namespace
}  // namespace kubecni::test
