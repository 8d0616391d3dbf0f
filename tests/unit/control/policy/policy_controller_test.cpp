#include "control/policy/policy_controller.hpp"

#include "state/policy_mark.hpp"
#include "support/cluster.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

Attachment attachment(const std::string& pod, const std::string& address) {
  Attachment made;
  made.pod = pod;
  made.port.addresses = {{.net = {addr(address), 24}, .gateway = {}}};
  made.port.pod_mac = MacAddr::parse("00:00:5e:00:53:0a").value();
  return made;
}

TEST(PolicyController, TakesThePodsFromTheRecordsWithTheirLinkLocalAddresses) {
  const IpAddr link_local = addr("fe80::200:5eff:fe00:530a");

  EXPECT_EQ(local_pods({attachment("b/c", "10.0.0.2"), attachment("a/b", "10.0.0.1")}),
            (std::vector<LocalPod>{{"a/b", {addr("10.0.0.1"), link_local}},
                                   {"b/c", {addr("10.0.0.2"), link_local}}}));
}

TEST(PolicyController, APodThatIsNotKnownIsClosedWhateverItsAddress) {
  PolicyObjects objects;
  objects.policies.push_back(NetworkPolicy{.space = "a", .name = "some"});

  const auto spec =
      plan_policies(objects, {{"a/b", {addr("10.0.0.1")}}, {"a/c", {addr("192.0.2.1")}}},
                    {.pods = {net("10.0.0.0/24")}, .not_pods = {}});

  EXPECT_TRUE(spec.policy.subjects.empty());
  EXPECT_THAT(spec.closed, testing::ElementsAre(addr("192.0.2.1")))
      << "the other one is in the node's network";
}

TEST(PolicyController, ANewPodThatAwaitsPeersIsClosedAndOneThatTalksStaysKnown) {
  const auto pod = [](const std::string& name, const std::string& app) {
    return Pod{.space = "a",
               .name = name,
               .uid = {},
               .labels = {{"app", app}},
               .addresses = {},
               .ports = {}};
  };
  PolicyObjects objects{.pods = {pod("old", "web"), pod("new", "web"), pod("other", "db")},
                        .awaits_peers = true};
  objects.policies.push_back(NetworkPolicy{.space = "a", .name = "deny", .isolates_ingress = true});
  objects.policies.push_back(NetworkPolicy{.space = "a",
                                           .name = "web",
                                           .subjects = {{{.key = "app", .values = {"web"}}}},
                                           .isolates_ingress = true,
                                           .ingress = {{.peers = {{.pods = LabelSelector{}}}}}});
  const std::vector<LocalPod> locals{{"a/old", {addr("192.0.2.1")}},
                                     {"a/new", {addr("192.0.2.2")}},
                                     {"a/other", {addr("192.0.2.3")}}};

  const auto spec = plan_policies(objects, locals, {}, {locals[0]});

  EXPECT_THAT(spec.policy.subjects, testing::UnorderedElementsAre(testing::Key(addr("192.0.2.1")),
                                                                  testing::Key(addr("192.0.2.3"))));
  EXPECT_THAT(spec.closed, testing::ElementsAre(addr("192.0.2.2")));
  objects.awaits_peers = false;
  EXPECT_EQ(plan_policies(objects, locals, {}).policy.subjects.size(), 3u);
}

TEST(PolicyController, NotesTheNamespacesThatHavePolicies) {
  PolicyObjects objects;
  for (const char* space : {"shop", "staging", "shop"})
    objects.policies.push_back(NetworkPolicy{.space = space, .name = "some"});

  EXPECT_THAT(namespaces_with_policies(objects), testing::ElementsAre("shop", "staging"));
}

TEST(PolicyController, BeforeTheObjectsAreKnownOnlyPodsThatNoPolicyCanSelectAreOpen) {
  const TempDir dir;
  ASSERT_TRUE(mark_policies(dir.path(), {"shop"}));

  const auto spec = plan_by_mark(dir.path(),
                                 {{"", {addr("10.0.0.1")}},
                                  {"shop/web", {addr("10.0.0.2"), addr("192.0.2.2")}},
                                  {"tools/ci", {addr("10.0.0.3")}}},
                                 {.pods = {net("10.0.0.0/24")}, .not_pods = {}});

  EXPECT_THAT(spec.policy.subjects, testing::UnorderedElementsAre(testing::Key(addr("10.0.0.1")),
                                                                  testing::Key(addr("10.0.0.3"))));
  EXPECT_THAT(spec.closed, testing::ElementsAre(addr("192.0.2.2")));
}

TEST(PolicyController, SaysOfEachPodWhetherItIsKnownAndByWhichPoliciesItIsIsolated) {
  PolicyTableSpec spec;
  spec.policy.chains["in_1"] = {.policies = {"a/p", "a/q"}};
  spec.policy.subjects[addr("10.0.0.1")] = {.ingress = "in_1"};
  spec.policy.subjects[addr("10.0.0.3")] = {};

  const auto pods = describe_pods(
      spec,
      {attachment("a/c", "10.0.0.2"), attachment("a/b", "10.0.0.1"), attachment("", "10.0.0.3")});

  ASSERT_EQ(pods.size(), 3u);
  EXPECT_TRUE(pods[0].pod.empty());
  EXPECT_TRUE(pods[0].is_known);
  EXPECT_EQ(pods[0].ingress, PolicyIsolation());
  EXPECT_EQ(pods[1].pod, "a/b");
  EXPECT_THAT(pods[1].addresses, testing::ElementsAre("10.0.0.1"));
  EXPECT_TRUE(pods[1].is_known);
  EXPECT_EQ(pods[1].ingress, (PolicyIsolation{"in_1", {"a/p", "a/q"}}));
  EXPECT_EQ(pods[1].egress, PolicyIsolation());
  EXPECT_FALSE(pods[2].is_known);
}

}  // namespace
}  // namespace kubecni::test
