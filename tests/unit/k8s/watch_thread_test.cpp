// A kind that only this test knows, besides the nodes.

#include "k8s/watch_thread.hpp"

#include "await.hpp"
#include "base/json.hpp"
#include "k8s/informer.hpp"
#include "k8s/kinds.hpp"
#include "support/http2_proxy.hpp"
#include "support/relay.hpp"
#include "test_api_server/api_server.hpp"

#include <gtest/gtest.h>

namespace kubecni {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::ApiServer;
using test::eventually;

constexpr const char* kWidgetPath = "/apis/example.net/v1/widgets";

// Everything that a new kind needs: a struct, a parser, a line.
struct Widget {
  std::string colour;
  bool operator==(const Widget&) const = default;
};
Widget parse_widget(const json& kept) { return {text_of(member(member(kept, "spec"), "colour"))}; }
const Kind<Widget> kWidgets{.source = {.path = kWidgetPath,
                                       .list_kind = "WidgetList",
                                       .resource = "widgets.example.net",
                                       .kept = {"spec.colour"}},
                            .parse = parse_widget};

json widget(const std::string& name, const std::string& colour, int weight = 1) {
  return {{"metadata", {{"name", name}, {"namespace", "shop"}}},
          {"spec", {{"colour", colour}, {"weight", weight}}}};
}

ApiTimings fast() { return {.deadlines = {}, .first_retry = 10ms, .slowest_retry = 50ms}; }

class WatchThreadTest : public testing::Test {
 protected:
  WatchThreadTest() {
    server_->add_kind(kWidgetPath, "WidgetList", "widgets.example.net");
    server_->set_object(kWidgetPath, widget("a", "red"));
    server_->set_node(test::make_node("n1", "192.0.2.1", "10.1.0.0/24"));
    config_.server = server_->url();
  }

  void start(ApiTimings timings = fast()) {
    thread_ =
        std::move(*WatchThread::start(config_, timings, nullptr, {widgets_.get(), nodes_.get()}));
  }

  /// Starts, and waits until both watches are open and the lists were taken.
  void start_watching(ApiTimings timings = fast()) {
    start(timings);
    ASSERT_TRUE(
        eventually([&] { return widgets_->status().connected && nodes_->status().connected; }));
    EXPECT_EQ(deltas(), "+shop/a");
    nodes_->take();
  }

  /// The next deltas of widgets: "+shop/a".
  std::string deltas() {
    if (!test::is_readable(widgets_->fd(), test::kDeadline)) return "no news";
    const auto news = widgets_->take();
    if (!news) return "no news";
    if (!*news) return "error: " + news->error().what;
    std::string all;
    for (const auto& [key, change] : **news)
      all += (all.empty() ? "" : " ") + ((change == Change::kAdded     ? "+"
                                          : change == Change::kChanged ? "~"
                                                                       : "-") +
                                         key);
    return all;
  }

  std::map<std::string, Shared<Widget>> known() const {
    return widgets_->read([](const auto& table) { return table.objects(); });
  }

  std::unique_ptr<ApiServer> server_ = std::move(*ApiServer::start());
  ApiConfig config_;
  std::unique_ptr<Informer<Widget>> widgets_ = std::move(*Informer<Widget>::create(kWidgets));
  std::unique_ptr<Informer<NodeEntry, NodeTable>> nodes_ =
      std::move(*Informer<NodeEntry, NodeTable>::create(kNodes));
  std::unique_ptr<WatchThread> thread_;
};

TEST_F(WatchThreadTest, TellsWhatBecomesOfTheObjectsOfAnyKind) {
  start_watching();
  EXPECT_EQ(known().at("shop/a"), Widget{"red"});

  server_->set_object(kWidgetPath, widget("b", "blue"));
  EXPECT_EQ(deltas(), "+shop/b");
  server_->set_object(kWidgetPath, widget("a", "green"));
  EXPECT_EQ(deltas(), "~shop/a");
  EXPECT_EQ(known().at("shop/a"), Widget{"green"});
  server_->delete_object(kWidgetPath, "b");
  EXPECT_EQ(deltas(), "-shop/b");
  EXPECT_EQ(known().size(), 1u);
}

TEST_F(WatchThreadTest, FieldsThatAreNotKeptCauseNoChange) {
  start_watching();

  server_->set_object(kWidgetPath, widget("a", "red", 2));
  server_->set_object(kWidgetPath, widget("b", "blue"));

  EXPECT_EQ(deltas(), "+shop/b");
}

TEST_F(WatchThreadTest, NodesOfTheSameThreadAreNotDisturbed) {
  start_watching();

  server_->set_object(kWidgetPath, widget("b", "blue"));
  EXPECT_EQ(deltas(), "+shop/b");

  EXPECT_FALSE(nodes_->take());
  EXPECT_EQ(server_->counters().lists, 1);
}

TEST_F(WatchThreadTest, AKindThatMayNotBeSeenDoesNotHinderTheOthers) {
  server_->forbid("list widgets.example.net");
  start();

  EXPECT_NE(deltas().find("allow this account to list widgets.example.net"), std::string::npos);
  EXPECT_TRUE(eventually([&] { return nodes_->status().connected; }));
  EXPECT_EQ(nodes_->status().error, "");
}

TEST_F(WatchThreadTest, AnExpiredHistoryIsListedAgainForEachKind) {
  start_watching();

  server_->expire_history();
  server_->set_object(kWidgetPath, widget("b", "blue"));

  EXPECT_EQ(deltas(), "+shop/b");
  EXPECT_TRUE(eventually([&] { return server_->counters().lists == 2; }));
}

class WatchThreadHttp2 : public WatchThreadTest {
 protected:
  void SetUp() override {
    const auto missing = test::Http2Proxy::what_is_missing();
    if (!missing.empty()) GTEST_SKIP() << missing;
    proxy_.emplace(server_->port());
    relay_.emplace(proxy_->port());
    config_.server = relay_->url("https");
    config_.ca_file = proxy_->ca_file();
  }

  std::optional<test::Http2Proxy> proxy_;
  std::optional<test::Relay> relay_;
};

TEST_F(WatchThreadHttp2, AllKindsShareOneConnection) {
  start_watching();

  server_->set_object(kWidgetPath, widget("b", "blue"));
  EXPECT_EQ(deltas(), "+shop/b");

  EXPECT_EQ(relay_->connections(), 1);
}

TEST_F(WatchThreadHttp2, AllKindsLeaveAConnectionThatWentSilent) {
  auto timings = fast();
  timings.deadlines.idle = 200ms;
  start_watching(timings);

  relay_->freeze();
  server_->set_object(kWidgetPath, widget("b", "blue"));
  server_->set_node(test::make_node("n2", "192.0.2.2", "10.2.0.0/24"));

  EXPECT_EQ(deltas(), "+shop/b");
  EXPECT_TRUE(test::is_readable(nodes_->fd(), test::kDeadline));
}

}  // namespace
}  // namespace kubecni
