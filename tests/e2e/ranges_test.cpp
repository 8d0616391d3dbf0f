// Several ranges: a pod with addresses of both families, and one that takes the
// address which is left.

#include "expect.hpp"
#include "support/node_state.hpp"
#include "support/traffic.hpp"

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class Ranges : public testing::Test {
 protected:
  static json conf(const json& ranges) {
    return {{"subnet", nullptr}, {"ipam", {{"ranges", ranges}}}};
  }
  const json kBoth = conf({{{{"subnet", "10.220.0.0/24"}}}, {{{"subnet", "fd00:220::/64"}}}});

  Node node{"node", "10.200.0.0/24", "ebpf"};
};

TEST_F(Ranges, OfBothFamiliesGiveAPodAnAddressOfEach) {
  Pod pod("pod");
  const auto answer = node.cni("ADD", pod, kBoth);
  ASSERT_TRUE(ok(answer));
  const Pod other = node.add_pod("other", kBoth);
  const auto before = node.counters();

  EXPECT_EQ(answer.json["ips"][0]["address"], "10.220.0.2/24");
  EXPECT_EQ(answer.json["ips"][1]["address"], "fd00:220::2/64");
  EXPECT_EQ(answer.json["ips"][1]["interface"], 1);
  EXPECT_EQ(answer.json["routes"][1]["gw"], "fd00:220::1");
  EXPECT_TRUE(ok(tcp_transfer(other.netns, pod.netns, IpAddr::v4({10, 220, 0, 2}))));
  EXPECT_GT(grown(before, node.counters(), KUBECNI_FAST_TO_LOCAL_POD), 10u);
  Node::must_run_in(other.netns, {"ping", "-6", "-c", "1", "-W", "2", "fd00:220::2"});
  json with_result = kBoth;
  with_result["prevResult"] = answer.json;
  EXPECT_TRUE(ok(node.cni("CHECK", pod, with_result)));
}

TEST_F(Ranges, AnAddressOfIpv6IsUsableAtOnce) {
  const Pod pod = node.add_pod("pod", kBoth);

  EXPECT_THAT(Node::must_run_in(pod.netns, {"ip", "-6", "addr", "show", "dev", "eth0", "tentative",
                                            "scope", "global"}),
              testing::IsEmpty());
}

TEST_F(Ranges, DelOfAPodOfBothFamiliesLeavesNothing) {
  const Pod other = node.add_pod("other", kBoth);
  const Pod pod("pod");
  const auto before = state_of(node, {&pod}, false);
  ASSERT_TRUE(ok(node.cni("ADD", pod, kBoth)));

  EXPECT_TRUE(ok(node.cni("DEL", pod, kBoth)));

  EXPECT_EQ(state_of(node, {&pod}, false), before);
}

TEST_F(Ranges, TheSecondOfASetIsTakenWhenTheFirstIsFull) {
  const json two = conf({{{{"subnet", "10.221.0.0/30"}}, {{"subnet", "10.222.0.0/24"}}}});

  const Pod one = node.add_pod("one", two);
  const Pod other = node.add_pod("other", two);

  EXPECT_EQ(one.address.str(), "10.221.0.2");
  EXPECT_EQ(other.address.str(), "10.222.0.2");
  EXPECT_TRUE(ok(tcp_transfer(one.netns, other.netns, other.address))) << "routed by the node";
}

TEST_F(Ranges, BeforeVersion030TheResultHasTheFirstAddressOfEachFamily) {
  json old = kBoth;
  old["cniVersion"] = "0.2.0";
  const Pod pod("pod");

  const auto answer = node.cni("ADD", pod, old);

  ASSERT_TRUE(ok(answer));
  EXPECT_EQ(answer.json["ip4"]["ip"], "10.220.0.2/24");
  EXPECT_EQ(answer.json["ip6"]["ip"], "fd00:220::2/64");
  EXPECT_EQ(answer.json["ip6"]["routes"], json::array({{{"dst", "::/0"}, {"gw", "fd00:220::1"}}}));
}

}  // namespace
}  // namespace kubecni::test
