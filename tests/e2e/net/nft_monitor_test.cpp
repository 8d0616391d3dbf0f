#include "net/nft_monitor.hpp"

#include "link_pair.hpp"

namespace kubecni::test {
namespace {

class NftMonitorTest : public LinkPair {
 protected:
  void nft(const std::string& command) const { Node::must_run_in(here, {"nft", command}); }
};

TEST_F(NftMonitorTest, TellsOfItsTableAlone) {
  here.enter([&] {
    auto monitor = must(NftMonitor::open("mine"));
    EXPECT_FALSE(monitor.take_changes());

    for (const char* command :
         {"add table inet mine", "add set inet mine s { type ipv4_addr; }",
          "add element inet mine s { 192.0.2.7 }", "add chain inet mine c",
          "add rule inet mine c accept", "flush chain inet mine c",
          "delete element inet mine s { 192.0.2.7 }", "delete table inet mine"}) {
      nft(command);
      EXPECT_TRUE(monitor.take_changes()) << command;
      EXPECT_FALSE(monitor.take_changes()) << command;
    }

    for (const char* command : {"add table inet other", "add table ip mine", "add chain ip mine c",
                                "add table inet mine2", "flush ruleset"}) {
      nft(command);
      EXPECT_FALSE(monitor.take_changes()) << command;
    }
  });
}

TEST_F(NftMonitorTest, WaitsUntilTheDeadline) {
  using Clock = std::chrono::steady_clock;
  here.enter([&] {
    auto monitor = must(NftMonitor::open("mine"));
    const auto deadline = Clock::now() + std::chrono::milliseconds(20);
    EXPECT_FALSE(monitor.wait_until(deadline));
    EXPECT_GE(Clock::now(), deadline);

    nft("add table inet mine");

    EXPECT_TRUE(monitor.wait_until(Clock::now() + std::chrono::hours(1)));
  });
}

}  // namespace
}  // namespace kubecni::test
