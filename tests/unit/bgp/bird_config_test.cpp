#include "bgp/bird_config.hpp"

#include "base/file.hpp"
#include "base/subprocess.hpp"
#include "support/ip.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni::test {
namespace {

using testing::HasSubstr;
using testing::Not;

BirdSession bird_session_with(const std::string& peer) {
  return {.node = "n2",
          .local = addr(addr(peer).is_v4() ? "192.0.2.1" : "2001:db8::1"),
          .peer = addr(peer),
          .peer_as = 64512,
          .peer_port = 179,
          .is_on_link = true,
          .password_file = {},
          .accepted = {net("10.200.2.0/24"), net("fd00:10:2::/64")},
          .is_next_hop = true};
}

BirdConfig bird_config_with(std::vector<BirdSession> sessions) {
  return {.router_id = addr("192.0.2.1"),
          .as = 64512,
          .port = 179,
          .hold_time = 90,
          .keepalive_time = 30,
          .kernel_table = 85,
          .log = "/run/kube-cni/bird.log",
          .ignored_devices = {"cni0", "kcni.vxlan"},
          .announced = {net("10.200.1.0/24"), net("fd00:10:1::/64")},
          .next_hops = {{addr("198.51.100.2"), addr("192.0.2.254")},
                        {addr("2001:db8:2::7"), addr("fe80::1"), "eth0"}},
          .sessions = std::move(sessions)};
}

/// What `bird -p` says; empty: the configuration is right.
std::string bird_refusal_of(const std::string& text) {
  const TempDir dir;
  EXPECT_TRUE(write_file_atomically(dir.path() / "bird.conf", text));
  const auto end = run_subprocess({.program = "/usr/sbin/bird",
                                   .args = {"-p", "-c", dir.path() / "bird.conf"},
                                   .env = {},
                                   .input = {},
                                   .deadline = std::chrono::seconds(10),
                                   .takes_errors = true});
  if (!end) return end.error().what;
  return end->status == 0 ? "" : "refused: " + end->out;
}

TEST(BirdConfig, OfEachKindOfSessionIsTakenByBird) {
  auto router = bird_session_with("192.0.2.254");
  router.node.clear();
  router.is_next_hop = false;
  router.peer_as = 64600;
  router.password = "two words; { } #";
  auto behind = bird_session_with("2001:db8:2::7");
  behind.is_on_link = false;
  auto without_pods = bird_session_with("2001:db8::2");
  without_pods.accepted = {};

  EXPECT_EQ(bird_refusal_of(config_text(bird_config_with({}))), "");
  EXPECT_EQ(bird_refusal_of(config_text(
                bird_config_with({bird_session_with("192.0.2.2"), router, behind, without_pods}))),
            "");
}

TEST(BirdConfig, TakesFromANodeItsOwnPodsByItselfAlone) {
  EXPECT_THAT(config_text(bird_config_with({bird_session_with("192.0.2.2")})),
              HasSubstr("import where net ~ [ 10.200.2.0/24 ] && bgp_next_hop = 192.0.2.2;"));
  EXPECT_THAT(config_text(bird_config_with({bird_session_with("2001:db8::2")})),
              HasSubstr("import where net ~ [ fd00:10:2::/64 ] && bgp_next_hop = 2001:db8::2;"));
}

TEST(BirdConfig, TakesNothingWhereNoPodsAreKnown) {
  auto session = bird_session_with("192.0.2.2");
  session.accepted = {net("fd00:10:2::/64")};

  EXPECT_THAT(config_text(bird_config_with({session})), HasSubstr("    import none;\n"));
}

TEST(BirdConfig, OfOneSessionDoesNotDependOnTheOthers) {
  const std::string alone = config_text(bird_config_with({bird_session_with("192.0.2.2")}));
  const std::string with_another = config_text(
      bird_config_with({bird_session_with("192.0.2.2"), bird_session_with("192.0.2.3")}));

  EXPECT_TRUE(with_another.starts_with(alone));
}

class BirdPasswords : public testing::Test {
 protected:
  Result<> read(const std::string& text) {
    EXPECT_TRUE(write_file_atomically(dir.path() / "secret", text));
    auto session = bird_session_with("192.0.2.2");
    session.password_file = dir.path() / "secret";
    config = bird_config_with({session});
    return read_passwords(config);
  }

  TempDir dir;
  BirdConfig config;
};

TEST_F(BirdPasswords, AreTheFirstLineOfTheirFile) {
  ASSERT_TRUE(read("s3cret\nmore\n"));

  EXPECT_THAT(config_text(config), HasSubstr("  password \"s3cret\";\n"));
}

TEST_F(BirdPasswords, ThatBirdCannotTakeAreRefusedAndNotSaid) {
  for (const std::string& text : {std::string("\n"), std::string("with\"quote"),
                                  std::string("with\ttab"), std::string(81, 'x')}) {
    const auto result = read(text);

    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, EINVAL);
    EXPECT_THAT(result.error().what, HasSubstr("192.0.2.2"));
    if (text != "\n") {
      EXPECT_THAT(result.error().what, Not(HasSubstr(text)));
    }
  }
  auto session = bird_session_with("192.0.2.2");
  session.password_file = dir.path() / "nowhere";
  config = bird_config_with({session});
  EXPECT_EQ(read_passwords(config).error().code, ENOENT);
}

}  // namespace
}  // namespace kubecni::test
