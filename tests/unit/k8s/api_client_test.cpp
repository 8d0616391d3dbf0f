// ApiClient under a node source: the API server behind HTTP/2 and TLS, as real ones are.

#include "await.hpp"
#include "k8s/api_node_source.hpp"
#include "support/http2_proxy.hpp"
#include "support/relay.hpp"
#include "test_api_server/api_server.hpp"

#include <gtest/gtest.h>

namespace kubecni {
namespace {

using namespace std::chrono_literals;
using test::ApiServer;
using test::await_names;
using test::make_node;
using test::names;
using test::next_news;

class ApiHttp2 : public testing::Test {
 protected:
  void SetUp() override {
    const auto missing = test::Http2Proxy::what_is_missing();
    if (!missing.empty()) GTEST_SKIP() << missing;
    proxy_.emplace(server_->port());
    server_->set_node(make_node("n1", "192.0.2.1", "10.1.0.0/24"));
    server_->set_node(make_node("n2", "192.0.2.2", "10.2.0.0/24"));
    config_.server = proxy_->url();
    config_.ca_file = proxy_->ca_file();
  }

  std::unique_ptr<NodeSource> watching(std::chrono::milliseconds idle = 90s) {
    auto source = std::move(*ApiNodeSource::start(
        config_, {.deadlines = {.idle = idle}, .first_retry = 10ms, .slowest_retry = 50ms}));
    EXPECT_EQ(await_names(*source, "n1 n2"), "n1 n2");
    EXPECT_TRUE(test::eventually([&] { return source->status().connected; }));
    return source;
  }

  std::unique_ptr<ApiServer> server_ = std::move(*ApiServer::start());
  std::optional<test::Http2Proxy> proxy_;
  ApiConfig config_;
};

TEST_F(ApiHttp2, IsWhatTheServerIsAskedBy) {
  const auto source = watching();

  // nghttpx writes the version of what it got.
  EXPECT_EQ(server_->counters().last_via, "2 nghttpx");
}

TEST_F(ApiHttp2, EventsAndBookmarksArrive) {
  const auto source = watching();

  server_->set_node(make_node("n3", "192.0.2.3", "10.3.0.0/24"));
  EXPECT_EQ(names(next_news(*source)), "n1 n2 n3");
  server_->send_bookmark();
  ASSERT_TRUE(test::eventually([&] {
    server_->cut_connections();
    return server_->counters().last_watched_resource_version == "104";
  }));
  EXPECT_EQ(server_->counters().lists, 1);
}

TEST_F(ApiHttp2, AStreamThatIsCutGoesOnWhereItWas) {
  const auto source = watching();

  server_->cut_connections(ApiServer::Cut::kInsideEvent);
  server_->set_node(make_node("n3", "192.0.2.3", "10.3.0.0/24"));

  EXPECT_EQ(names(next_news(*source)), "n1 n2 n3");
  EXPECT_EQ(server_->counters().lists, 1);
}

TEST_F(ApiHttp2, AListOfManyPagesTakesOneConnection) {
  test::Relay relay(proxy_->port());
  config_.server = relay.url("https");
  server_->limit_pages(1);

  const auto source = watching();

  EXPECT_EQ(server_->counters().lists, 2);
  EXPECT_EQ(relay.connections(), 1);
}

TEST_F(ApiHttp2, NothingIsAskedOnAConnectionThatWentSilent) {
  test::Relay relay(proxy_->port());
  config_.server = relay.url("https");
  const auto source = watching(200ms);

  relay.freeze();
  server_->set_node(make_node("n3", "192.0.2.3", "10.3.0.0/24"));

  EXPECT_EQ(await_names(*source, "n1 n2 n3"), "n1 n2 n3");
}

}  // namespace
}  // namespace kubecni
