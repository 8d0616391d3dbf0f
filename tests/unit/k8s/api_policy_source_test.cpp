#include "k8s/api_policy_source.hpp"

#include "await.hpp"
#include "k8s/api_node_source.hpp"
#include "test_api_server/api_server.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

namespace kubecni {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::ApiServer;
using test::eventually;
using test::is_readable;

constexpr const char* kPodPath = "/api/v1/pods";
const std::string kPolicyPath = kNetworkPolicies.source.path;
// Of requests for pods.
constexpr const char* kHere = "spec.nodeName%3Dhere";
constexpr const char* kElsewhere = "spec.nodeName%21%3Dhere";

json object(const std::string& space, const std::string& name) {
  json object{{"metadata", {{"name", name}}}, {"spec", json::object()}};
  if (!space.empty()) object["metadata"]["namespace"] = space;
  return object;
}

json pod_on(const std::string& name, const std::string& node,
            const std::string& phase = "Running") {
  json pod = object("shop", name);
  pod["spec"]["nodeName"] = node;
  pod["status"]["phase"] = phase;
  return pod;
}

json policy_with_peers() {
  json policy = object("shop", "web");
  policy["spec"] = json::parse(R"({"ingress":[{"from":[{"podSelector":{}}]}]})");
  return policy;
}

std::string names_of(const std::vector<Shared<Pod>>& pods) {
  std::string names;
  for (const Pod& pod : pods) names += (names.empty() ? "" : " ") + pod.name;
  return names;
}

/// A pod of the node `here` and one of another node, in a namespace with a policy.
class ApiPolicySourceTest : public testing::Test {
 protected:
  ApiPolicySourceTest() {
    server_->set_object(kPolicyPath, object("shop", "web"));
    server_->set_object(kPodPath, pod_on("web-1", "here"));
    server_->set_object(kPodPath, pod_on("peer-1", "there"));
    server_->set_object(kNamespaces.source.path, object("", "shop"));
  }

  void start() {
    source_->begin();
    ApiConfig config;
    config.server = server_->url();
    nodes_ = ApiNodeSource::start(std::move(config),
                                  {.deadlines = {}, .first_retry = 10ms, .slowest_retry = 50ms},
                                  {.others = source_->informers()})
                 .value();
  }
  [[nodiscard]] bool takes_a_change() {
    return eventually([&] { return source_->take(); });
  }
  [[nodiscard]] bool comes_to_know_peers(const std::string& names) {
    return eventually([&] {
      source_->take();
      return source_->is_known() && !source_->read().awaits_peers &&
             names_of(source_->read().peers) == names;
    });
  }

  [[nodiscard]] auto lists_of_pods(const std::string& with = "") const {
    const auto requests = server_->counters().requests;
    return std::ranges::count_if(requests, [&](const std::string& request) {
      return request.starts_with(kPodPath) && request.find(with) != std::string::npos &&
             request.find("watch=1") == std::string::npos;
    });
  }
  [[nodiscard]] bool has_watch(const std::string& with) const {
    return std::ranges::any_of(server_->counters().live, [&](const std::string& request) {
      return request.find(with) != std::string::npos;
    });
  }

  std::unique_ptr<ApiServer> server_ = std::move(*ApiServer::start());
  std::unique_ptr<ApiPolicySource> source_ =
      ApiPolicySource::create({.node_name = "here", .linger = 200ms}).value();
  std::unique_ptr<NodeSource> nodes_;
};

TEST_F(ApiPolicySourceTest, IsKnownWhenAllKindsWereRead) {
  EXPECT_FALSE(source_->is_known());
  start();

  EXPECT_TRUE(takes_a_change());

  EXPECT_TRUE(source_->is_known());
  const PolicyObjects& objects = source_->read();
  EXPECT_EQ(objects.policies.at(0)->key(), "shop/web");
  EXPECT_EQ(objects.pods.at(0)->key(), "shop/web-1");
  EXPECT_EQ(objects.spaces.at(0)->name, "shop");
}

TEST_F(ApiPolicySourceTest, WithoutPoliciesNobodyAsksForPods) {
  server_->delete_object(kPolicyPath, "web");
  start();

  EXPECT_TRUE(takes_a_change());

  EXPECT_TRUE(source_->is_known());
  EXPECT_EQ(lists_of_pods(), 0);
  std::this_thread::sleep_for(500ms);  // for nothing else to be going on when the first one comes
  server_->set_object(kPolicyPath, object("shop", "web"));
  const auto has_read_the_pod = [&] {
    source_->take();
    return source_->read().pods.size() == 1;
  };
  EXPECT_TRUE(eventually(has_read_the_pod, 3s)) << "it waits for news of something else";
}

TEST_F(ApiPolicySourceTest, OfPoliciesWithoutPeersItAsksForThePodsOfItsNodeAlone) {
  server_->set_object(kPodPath, pod_on("job-1", "here", "Succeeded"));
  start();
  ASSERT_TRUE(takes_a_change());

  EXPECT_EQ(names_of(source_->read().pods), "web-1") << "who has ended is left out";
  EXPECT_FALSE(source_->read().awaits_peers);
  EXPECT_EQ(lists_of_pods(), 1);
  EXPECT_EQ(lists_of_pods(kHere), 1);
}

TEST_F(ApiPolicySourceTest, APodThatEndsIsGone) {
  start();
  ASSERT_TRUE(takes_a_change());

  server_->set_object(kPodPath, pod_on("web-1", "here", "Failed"));

  ASSERT_TRUE(takes_a_change());
  EXPECT_EQ(names_of(source_->read().pods), "");
}

TEST_F(ApiPolicySourceTest, WithoutANodeItReadsAllPodsAtOnce) {
  source_ = ApiPolicySource::create({}).value();
  server_->set_object(kPolicyPath, policy_with_peers());
  start();

  ASSERT_TRUE(takes_a_change());

  EXPECT_EQ(names_of(source_->read().pods), "peer-1 web-1");
  EXPECT_EQ(lists_of_pods(), 1);
}

TEST_F(ApiPolicySourceTest, WhereNothingIsInForceItDoesNotWaitForPeers) {
  source_ =
      ApiPolicySource::create({.node_name = "here", .linger = 200ms, .has_table = false}).value();
  server_->set_object(kPolicyPath, policy_with_peers());
  server_->refuse(kElsewhere);
  start();

  ASSERT_TRUE(takes_a_change()) << "pods would stay open";

  EXPECT_EQ(source_->read().policies.size(), 1u);
  EXPECT_TRUE(source_->read().awaits_peers);
}

TEST_F(ApiPolicySourceTest, AtFirstItWaitsForThePeersThatAPolicyNeeds) {
  server_->set_object(kPolicyPath, policy_with_peers());
  server_->refuse(kElsewhere);
  start();
  ASSERT_TRUE(eventually([&] { return lists_of_pods(kElsewhere) > 1; }));

  EXPECT_FALSE(source_->take());
  EXPECT_FALSE(source_->is_known()) << "after a restart, what was in force would be closed";
  EXPECT_TRUE(eventually([&] {
    source_->take();
    return source_->error().find("503") != std::string::npos;
  })) << source_->error();

  server_->allow_all();
  EXPECT_TRUE(comes_to_know_peers("peer-1"));
  EXPECT_EQ(names_of(source_->read().pods), "web-1");
  EXPECT_EQ(source_->error(), "");
}

TEST_F(ApiPolicySourceTest, LaterItSaysThatPeersAreAwaitedAndThenHasThem) {
  start();
  ASSERT_TRUE(takes_a_change());
  server_->refuse(kElsewhere);

  server_->set_object(kPolicyPath, policy_with_peers());

  ASSERT_TRUE(takes_a_change());
  EXPECT_TRUE(source_->read().awaits_peers);
  EXPECT_EQ(names_of(source_->read().peers), "");
  server_->allow_all();
  EXPECT_TRUE(comes_to_know_peers("peer-1"));
  server_->set_object(kPodPath, pod_on("peer-2", "there"));
  EXPECT_TRUE(comes_to_know_peers("peer-1 peer-2"));
}

TEST_F(ApiPolicySourceTest, APodOfTheNodeMayBringTheNeed) {
  server_->delete_object(kPodPath, "web-1");
  server_->set_object(kPolicyPath, policy_with_peers());
  start();
  ASSERT_TRUE(takes_a_change());
  EXPECT_EQ(lists_of_pods(kElsewhere), 0);

  server_->set_object(kPodPath, pod_on("web-1", "here"));

  EXPECT_TRUE(comes_to_know_peers("peer-1"));
}

TEST_F(ApiPolicySourceTest, ThatThereAreNoPeersIsKnownToo) {
  server_->delete_object(kPodPath, "peer-1");
  start();
  ASSERT_TRUE(takes_a_change());

  server_->set_object(kPolicyPath, policy_with_peers());

  EXPECT_TRUE(eventually([&] {
    source_->take();
    return has_watch(kElsewhere) && !source_->read().awaits_peers;
  }));
}

TEST_F(ApiPolicySourceTest, WhenTheNeedEndsTheWatchEndsAndALaterNeedListsAgain) {
  server_->set_object(kPolicyPath, policy_with_peers());
  start();
  ASSERT_TRUE(comes_to_know_peers("peer-1"));
  ASSERT_TRUE(eventually([&] { return has_watch(kElsewhere); }));

  server_->set_object(kPolicyPath, object("shop", "web"));
  EXPECT_TRUE(comes_to_know_peers(""));
  EXPECT_TRUE(eventually([&] { return !has_watch(kElsewhere); }));
  EXPECT_TRUE(has_watch(kHere));

  server_->set_object(kPodPath, pod_on("peer-2", "there"));
  server_->set_object(kPolicyPath, policy_with_peers());
  EXPECT_TRUE(comes_to_know_peers("peer-1 peer-2"));
  EXPECT_EQ(lists_of_pods(kElsewhere), 2);
}

TEST_F(ApiPolicySourceTest, ANeedThatEndsForAMomentCostsNoList) {
  source_ = ApiPolicySource::create({.node_name = "here", .linger = 20s}).value();
  server_->set_object(kPolicyPath, policy_with_peers());
  start();
  ASSERT_TRUE(comes_to_know_peers("peer-1"));

  for (int i = 0; i < 5; ++i) {
    server_->set_object(kPolicyPath, object("shop", "web"));
    ASSERT_TRUE(comes_to_know_peers(""));
    server_->set_object(kPolicyPath, policy_with_peers());
    ASSERT_TRUE(comes_to_know_peers("peer-1"));
  }

  EXPECT_EQ(lists_of_pods(kElsewhere), 1);
}

TEST_F(ApiPolicySourceTest, PeersThatNobodyNeedsAreNoNews) {
  source_ = ApiPolicySource::create({.node_name = "here", .linger = 20s}).value();
  server_->set_object(kPolicyPath, policy_with_peers());
  start();
  ASSERT_TRUE(comes_to_know_peers("peer-1"));
  server_->set_object(kPolicyPath, object("shop", "web"));
  ASSERT_TRUE(comes_to_know_peers(""));

  server_->set_object(kPodPath, pod_on("peer-2", "there"));

  ASSERT_TRUE(is_readable(source_->fd(), 20s));
  EXPECT_FALSE(source_->take());
}

TEST_F(ApiPolicySourceTest, ReportsChangesByItsDescriptor) {
  start();
  ASSERT_TRUE(takes_a_change());

  server_->set_object(kPodPath, pod_on("web-2", "here"));

  EXPECT_TRUE(is_readable(source_->fd(), 20s));
  EXPECT_TRUE(takes_a_change());
  EXPECT_EQ(source_->read().pods.size(), 2u);
}

TEST_F(ApiPolicySourceTest, WithoutPermissionNothingIsKnownAndTheErrorSaysWhy) {
  server_->forbid("list pods");
  start();

  EXPECT_TRUE(eventually([&] {
    source_->take();
    return source_->error().find("pods") != std::string::npos;
  }));
  EXPECT_FALSE(source_->is_known());
}

}  // namespace
}  // namespace kubecni
