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
using test::ApiServer;
using test::eventually;
using test::is_readable;

constexpr const char* kPodPath = "/api/v1/pods";

nlohmann::json object(const std::string& space, const std::string& name) {
  nlohmann::json object{{"metadata", {{"name", name}}}, {"spec", nlohmann::json::object()}};
  if (!space.empty()) object["metadata"]["namespace"] = space;
  return object;
}

class ApiPolicySourceTest : public testing::Test {
 protected:
  ApiPolicySourceTest() {
    server_->set_object(kNetworkPolicies.source.path, object("shop", "web"));
    server_->set_object(kPodPath, object("shop", "web-1"));
    server_->set_object(kNamespaces.source.path, object("", "shop"));
  }

  std::unique_ptr<NodeSource> start() {
    source_->begin();
    ApiConfig config;
    config.server = server_->url();
    return ApiNodeSource::start(std::move(config),
                                {.deadlines = {}, .first_retry = 10ms, .slowest_retry = 50ms},
                                {.others = source_->informers()})
        .value();
  }

  [[nodiscard]] bool has_asked_for_pods(const std::string& with = "") const {
    const auto requests = server_->counters().requests;
    return std::ranges::any_of(
        requests, [&](const std::string& request) { return request.starts_with(kPodPath + with); });
  }

  std::unique_ptr<ApiServer> server_ = std::move(*ApiServer::start());
  std::unique_ptr<ApiPolicySource> source_ = ApiPolicySource::create().value();
};

TEST_F(ApiPolicySourceTest, IsKnownWhenAllKindsWereRead) {
  EXPECT_FALSE(source_->is_known());
  const auto nodes = start();

  EXPECT_TRUE(eventually([&] { return source_->take(); }));

  EXPECT_TRUE(source_->is_known());
  const auto objects = source_->read();
  EXPECT_EQ(objects.policies.at(0)->key(), "shop/web");
  EXPECT_EQ(objects.pods.at(0)->key(), "shop/web-1");
  EXPECT_EQ(objects.spaces.at(0)->name, "shop");
}

TEST_F(ApiPolicySourceTest, WithoutPoliciesNobodyAsksForPods) {
  server_->delete_object(kNetworkPolicies.source.path, "web");
  const auto nodes = start();

  EXPECT_TRUE(eventually([&] { return source_->take(); }));

  EXPECT_TRUE(source_->is_known());
  EXPECT_FALSE(has_asked_for_pods());
  std::this_thread::sleep_for(500ms);  // for nothing else to be going on when the first one comes
  server_->set_object(kNetworkPolicies.source.path, object("shop", "web"));
  const auto has_read_the_pod = [&] {
    source_->take();
    return source_->is_known() && source_->read().pods.size() == 1;
  };
  EXPECT_TRUE(eventually(has_read_the_pod, 3s)) << "it waits for news of something else";
}

TEST_F(ApiPolicySourceTest, AsksTheServerToLeaveOutPodsThatHaveEnded) {
  const auto nodes = start();
  ASSERT_TRUE(eventually([&] { return source_->take(); }));

  EXPECT_TRUE(has_asked_for_pods("?fieldSelector=status.phase"));
}

TEST_F(ApiPolicySourceTest, ReportsChangesByItsDescriptor) {
  const auto nodes = start();
  ASSERT_TRUE(eventually([&] { return source_->take(); }));

  server_->set_object(kPodPath, object("shop", "web-2"));

  EXPECT_TRUE(is_readable(source_->fd(), 20s));
  EXPECT_TRUE(eventually([&] { return source_->take(); }));
  EXPECT_EQ(source_->read().pods.size(), 2u);
}

TEST_F(ApiPolicySourceTest, WithoutPermissionNothingIsKnownAndTheErrorSaysWhy) {
  server_->forbid("list pods");
  const auto nodes = start();

  EXPECT_TRUE(eventually([&] {
    source_->take();
    return source_->error().find("pods") != std::string::npos;
  }));
  EXPECT_FALSE(source_->is_known());
}

}  // namespace
}  // namespace kubecni
