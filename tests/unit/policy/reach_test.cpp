#include "policy/reach.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <netinet/in.h>

#include <cerrno>

namespace kubecni::test {
namespace {

using Place = FlowEnd::Place;
using testing::ElementsAre;

IpAddr address_of(const char* text) { return IpAddr::parse(text).value(); }

/// Pods a and b of this node, c and d of another one; d has the other node's network. A policy
/// closes a but for port 80 of c.
class ReachTest : public testing::Test {
 protected:
  ReachTest() {
    Pod a = pod("a", {"10.0.0.1", "fd00::1"});
    a.ports = {{"dns", IPPROTO_UDP, 53}, {"web", IPPROTO_TCP, 80}};
    Pod d = pod("d", {"192.0.2.9"});
    d.uses_host_network = true;
    view.objects.pods = {a, pod("b", {"10.0.0.2"}), pod("c", {"10.0.1.1", "fd00:1::1"}), d};
    view.objects.spaces = {Namespace{.name = "x", .labels = {}}};
    view.locals = {{"x/a", {address_of("10.0.0.1"), address_of("fd00::1"), address_of("fe80::1")}},
                   {"x/b", {address_of("10.0.0.2")}},
                   {"x/new", {address_of("10.0.0.3")}}};
    view.own_pods = {IpNet::parse("10.0.0.0/24").value()};
    view.node_addresses = {address_of("192.0.2.1"), address_of("10.0.0.254")};
    view.objects.policies = {parse_network_policy(nlohmann::json::parse(R"({
        "metadata": {"name": "p", "namespace": "x"},
        "spec": {"podSelector": {"matchLabels": {"name": "a"}},
                 "ingress": [{"from": [{"podSelector": {"matchLabels": {"name": "c"}}}],
                              "ports": [{"port": "web"}]}]}})"))};
  }

  static Pod pod(const std::string& name, const std::vector<const char*>& addresses) {
    Pod made =
        parse_pod({{"metadata", {{"name", name}, {"namespace", "x"}, {"labels", {{"name", name}}}}},
                   {"status", {{"phase", "Running"}}}});
    for (const char* address : addresses) made.addresses.push_back(address_of(address));
    return made;
  }

  [[nodiscard]] FlowEnd end(const std::string& text) const { return find_end(view, text).value(); }

  struct Answer {
    EndVerdict egress, ingress;
    bool is_judged_here, is_allowed_here;
  };
  [[nodiscard]] Answer ask(const std::string& from, const std::string& to,
                           std::uint16_t port = 80) const {
    const Reach reach(view, end(from), end(to));
    const auto flow = flows_between(end(from), end(to), {IPPROTO_TCP, port}).at(0);
    return {reach.egress(flow), reach.ingress(flow), reach.is_judged_here(),
            reach.is_allowed_here(flow)};
  }

  ReachView view;
};

TEST_F(ReachTest, FindsAPodByNameOrAddress) {
  EXPECT_EQ(end("x/a").place, Place::kHere);
  EXPECT_THAT(end("x/a").addresses, ElementsAre(address_of("10.0.0.1"), address_of("fd00::1")));
  EXPECT_EQ(end("10.0.0.2").pod, "x/b");
  EXPECT_EQ(end("x/c").place, Place::kElsewhere);
  EXPECT_EQ(end("10.0.1.1").pod, "x/c");
  EXPECT_EQ(end("x/d").place, Place::kOutside) << "of another node's network";
  EXPECT_EQ(end("192.0.2.1").place, Place::kNode);
  EXPECT_EQ(end("198.51.100.1").place, Place::kOutside);
  EXPECT_EQ(end("10.0.0.77").place, Place::kHere) << "an address of this node's network";

  EXPECT_EQ(find_end(view, "x/nobody").error().code, ENOENT);
  EXPECT_EQ(find_end(view, "a").error().code, EINVAL);
}

TEST_F(ReachTest, KnowsPortsByNumberAndByTheNameThatThePodGivesThem) {
  const auto port = [&](const char* text) { return find_port(view, text, end("x/a")); };

  EXPECT_EQ(port("81").value(), (FlowPort{IPPROTO_TCP, 81}));
  EXPECT_EQ(port("81/UDP").value(), (FlowPort{IPPROTO_UDP, 81}));
  EXPECT_EQ(port("web").value(), (FlowPort{IPPROTO_TCP, 80}));
  EXPECT_EQ(port("dns/udp").value(), (FlowPort{IPPROTO_UDP, 53}));
  EXPECT_EQ(port("dns").error().code, ENOENT) << "it is one of UDP";
  EXPECT_EQ(port("0").error().code, ENOENT);
  EXPECT_EQ(port("65536").error().code, ENOENT);
  EXPECT_EQ(port("80/icmp").error().code, EINVAL);
  EXPECT_EQ(port("/tcp").error().code, EINVAL);
}

TEST_F(ReachTest, AsksForEachFamilyThatBothEndsHave) {
  const auto flows = flows_between(end("x/a"), end("x/c"), {IPPROTO_TCP, 80});
  ASSERT_EQ(flows.size(), 2u);
  EXPECT_EQ(flows[1].source, address_of("fd00::1"));

  EXPECT_EQ(flows_between(end("x/a"), end("x/b"), {}).size(), 1u);
  EXPECT_TRUE(flows_between(end("fd00::1"), end("x/b"), {}).empty());
}

TEST_F(ReachTest, NamesTheRuleThatAllowsAndThePolicyThatDoesNot) {
  const auto allowed = ask("x/c", "x/a");
  EXPECT_TRUE(allowed.ingress.is_allowed);
  EXPECT_EQ(allowed.ingress.why, "x/p#ingress0");
  EXPECT_TRUE(allowed.egress.is_allowed);
  EXPECT_EQ(allowed.egress.why, "no policy isolates it");

  const auto denied = ask("x/b", "x/a");
  EXPECT_FALSE(denied.ingress.is_allowed);
  EXPECT_EQ(denied.ingress.why, "no rule of x/p");
  EXPECT_FALSE(denied.is_allowed_here);
  EXPECT_FALSE(ask("x/c", "x/a", 81).ingress.is_allowed);
}

TEST_F(ReachTest, AlsoSaysWhatThePoliciesOfAPodOfAnotherNodeSay) {
  NetworkPolicy of_all_pods = view.objects.policies[0];
  of_all_pods.subjects = {};
  view.objects.policies = {of_all_pods};

  const auto answer = ask("x/a", "x/c");

  EXPECT_EQ(answer.ingress.why, "no rule of x/p");
  EXPECT_TRUE(answer.is_judged_here);
  EXPECT_TRUE(answer.is_allowed_here) << "a may send, and c is not here";
  EXPECT_FALSE(ask("x/d", "x/c").is_judged_here);
}

TEST_F(ReachTest, APodWithoutAnObjectIsClosed) {
  EXPECT_FALSE(ask("x/new", "x/b").egress.is_allowed);
  EXPECT_FALSE(ask("x/b", "10.0.0.77").ingress.is_allowed);
  view.objects.policies.clear();
  EXPECT_TRUE(ask("x/new", "x/b").egress.is_allowed) << "without policies all are open";
}

TEST_F(ReachTest, APodReachesItselfAndItsNode) {
  EXPECT_TRUE(ask("x/a", "x/a").ingress.is_allowed);
  const auto of_node = ask("192.0.2.1", "x/a");
  EXPECT_TRUE(of_node.ingress.is_allowed);
  EXPECT_FALSE(of_node.is_judged_here);
  EXPECT_FALSE(ask("x/d", "x/a").ingress.is_allowed) << "it is on another node";
}

}  // namespace
}  // namespace kubecni::test
