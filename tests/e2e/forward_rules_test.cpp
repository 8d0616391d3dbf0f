// A host whose firewall drops what is forwarded, as Docker and ufw set it, and one that learns its
// IPv6 default route from a router.

#include "base/file.hpp"
#include "cluster.hpp"
#include "support/eventually.hpp"
#include "support/traffic.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace kubecni::test {
namespace {

using testing::HasSubstr;
using testing::Not;

/// As `iptables -P FORWARD DROP` and `ip6tables -P FORWARD DROP` make it.
void set_policy(const Node& node, const std::string& policy) {
  for (const char* family : {"ip", "ip6"}) {
    node.must_run({"nft", std::string("add table ") + family + " filter"});
    node.must_run({"nft", std::string("add chain ") + family +
                              " filter FORWARD { type filter hook forward priority 0; policy " +
                              policy + "; }"});
  }
}

std::string chain_of(const Node& node, const std::string& family) {
  return node.must_run({"nft", "list", "chain", family, "filter", "FORWARD"});
}

/// How often `text` is in `all`.
std::size_t count_in(const std::string& all, const std::string& text) {
  std::size_t count = 0;
  for (auto at = all.find(text); at != all.npos; at = all.find(text, at + 1)) ++count;
  return count;
}

std::string status_of(const Node& node) { return must(read_file(node.run_dir() / "status.json")); }

TEST(ForwardRules, LetPodsThroughAPolicyThatDropsAndGoWithIt) {
  Cluster cluster({.dataplane = "bridge", .families = Families::kDual});
  for (const Node* node : {&cluster.a, &cluster.b}) set_policy(*node, "drop");

  for (const int family : {AF_INET, AF_INET6}) {
    const auto can_ping = [&] {
      return ok(ping(cluster.pod_a->netns, cluster.pod_b->address_of(family)));
    };
    // Nothing tells the daemons of such a chain: it waits for their next rounds.
    EXPECT_TRUE(eventually(can_ping, std::chrono::minutes(1)))
        << chain_of(cluster.a, "ip") << chain_of(cluster.a, "ip6") << chain_of(cluster.b, "ip6");
  }
  EXPECT_THAT(chain_of(cluster.a, "ip"), HasSubstr("from pods 10.200.1.0/24 on cni0"));
  EXPECT_THAT(chain_of(cluster.a, "ip"), Not(HasSubstr("fd00:10:1::/64")));
  EXPECT_THAT(chain_of(cluster.a, "ip6"), HasSubstr("to pods fd00:10:1::/64 on cni0"));

  set_policy(cluster.a, "accept");

  EXPECT_TRUE(eventually([&] { return count_in(chain_of(cluster.a, "ip"), "kube-cni") == 0; }));
}

TEST(ForwardRules, AreMadeOnceAndAgainWhenTheyAreFlushed) {
  Cluster cluster("bridge");
  set_policy(cluster.a, "drop");
  ASSERT_TRUE(eventually([&] { return count_in(chain_of(cluster.a, "ip"), "kube-cni: ") == 2; }));
  cluster.daemon_a.reset();

  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));
  cluster.a.must_run({"nft", "add rule ip filter FORWARD counter comment \"another's\""});
  cluster.a.must_run({"nft", "insert rule ip filter FORWARD counter comment \"kube-cni: stale\""});

  EXPECT_TRUE(eventually([&] { return count_in(chain_of(cluster.a, "ip"), "stale") == 0; }));
  EXPECT_EQ(count_in(chain_of(cluster.a, "ip"), "kube-cni: "), 2u);
  EXPECT_THAT(chain_of(cluster.a, "ip"), HasSubstr("another's"));
  cluster.a.must_run({"nft", "flush chain ip filter FORWARD"});
  EXPECT_TRUE(eventually([&] { return count_in(chain_of(cluster.a, "ip"), "kube-cni: ") == 2; }));
}

TEST(ForwardRules, ThatAreSwitchedOffLeaveAWarning) {
  Cluster cluster({.dataplane = "bridge", .daemon_options = {"--forward-rules", "off"}});

  set_policy(cluster.a, "drop");

  EXPECT_TRUE(eventually([&] {
    return status_of(cluster.a).find("FORWARD of table ip filter drops") != std::string::npos;
  }));
  EXPECT_EQ(count_in(chain_of(cluster.a, "ip"), "kube-cni"), 0u);
}

std::string accept_ra(const Node& node) {
  std::string value;
  node.netns.enter([&] { value = must(read_file("/proc/sys/net/ipv6/conf/eth0/accept_ra")); });
  return value;
}

TEST(RouterAdvertisements, AreStillTakenWhenTheNodeForwards) {
  Cluster cluster(ClusterOptions{.families = Families::kDual});

  EXPECT_EQ(accept_ra(cluster.a), "2\n");
}

TEST(RouterAdvertisements, AreLeftAloneWhereNobodyWantsThem) {
  EXPECT_EQ(accept_ra(Cluster(ClusterOptions{.families = Families::kV4}).a), "1\n");
  EXPECT_EQ(
      accept_ra(Cluster({.families = Families::kDual, .daemon_options = {"--accept-ra", "off"}}).a),
      "1\n");
}

}  // namespace
}  // namespace kubecni::test
