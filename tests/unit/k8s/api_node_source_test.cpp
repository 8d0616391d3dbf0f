#include "k8s/api_node_source.hpp"

#include "await.hpp"
#include "base/file.hpp"
#include "support/temp_dir.hpp"
#include "test_api_server/api_server.hpp"

#include <gtest/gtest.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

namespace kubecni {
namespace {

using namespace std::chrono_literals;
using test::ApiServer;
using test::await_names;
using test::eventually;
using test::is_readable;
using test::make_node;
using test::names;
using test::next_news;

nlohmann::json node(int number) {
  const std::string n = std::to_string(number);
  return make_node("n" + n, "192.0.2." + n, "10." + n + ".0.0/24");
}

/// Retries fast enough for a test that loses its server.
ApiTimings fast() { return {.deadlines = {}, .first_retry = 10ms, .slowest_retry = 50ms}; }

std::unique_ptr<NodeSource> watch(const std::string& url, ApiTimings timings = fast()) {
  ApiConfig config;
  config.server = url;
  return std::move(*ApiNodeSource::start(std::move(config), timings));
}

class ApiNodeSourceTest : public ::testing::Test {
 protected:
  ApiNodeSourceTest() {
    server_->set_node(node(1));
    server_->set_node(node(2));
  }

  /// A source that has reported n1 and n2 and watches.
  std::unique_ptr<NodeSource> watching(ApiTimings timings = fast()) {
    auto source = watch(server_->url(), timings);
    EXPECT_EQ(names(next_news(*source)), "n1 n2");
    EXPECT_TRUE(await_watch(1));
    EXPECT_TRUE(eventually([&] { return source->status().connected; }));
    return source;
  }

  /// Waits until watch number `count` is open.
  bool await_watch(int count) {
    return eventually([&] {
      const auto counters = server_->counters();
      return counters.watches >= count && counters.live_watches > 0;
    });
  }

  std::unique_ptr<ApiServer> server_ = std::move(*ApiServer::start());
};

TEST_F(ApiNodeSourceTest, ListsThenWatchesFromWhereTheListEnds) {
  const auto source = watching();

  EXPECT_EQ(server_->counters().last_watched_resource_version, "102");
  EXPECT_EQ(source->describe(), "kubernetes " + server_->url());
}

TEST_F(ApiNodeSourceTest, EventsBecomeSnapshots) {
  const auto source = watching();

  server_->set_node(node(3));
  EXPECT_EQ(names(next_news(*source)), "n1 n2 n3");
  server_->delete_node("n1");
  EXPECT_EQ(names(next_news(*source)), "n2 n3");
}

TEST_F(ApiNodeSourceTest, AnEventArrivesWithinMilliseconds) {
  const auto source = watching();

  const auto before = std::chrono::steady_clock::now();
  server_->set_node(node(3));
  ASSERT_EQ(names(next_news(*source)), "n1 n2 n3");

  EXPECT_LT(std::chrono::steady_clock::now() - before, 100ms);
}

TEST_F(ApiNodeSourceTest, AnEventInSmallPiecesIsPutTogether) {
  const auto source = watching();
  server_->split_answers(40, 1ms);

  server_->set_node(node(3));

  EXPECT_EQ(names(next_news(*source)), "n1 n2 n3");
}

TEST_F(ApiNodeSourceTest, AMalformedNodeIsSkippedAndTheRestIsKept) {
  const auto source = watching();

  server_->set_node(make_node("n2", "192.0.2.2", "10.2.0.0/99"));
  const auto news = next_news(*source);

  ASSERT_EQ(names(news), "n1");
  EXPECT_EQ((*news)->skipped.at(0).name, "n2");
}

TEST_F(ApiNodeSourceTest, AListOfManyPagesIsOneSnapshot) {
  server_->set_node(node(3));
  server_->limit_pages(1);

  const auto source = watch(server_->url());

  EXPECT_EQ(names(next_news(*source)), "n1 n2 n3");
  EXPECT_EQ(server_->counters().lists, 3);
}

TEST_F(ApiNodeSourceTest, ACutWatchGoesOnWithoutAList) {
  const auto source = watching();
  server_->send_bookmark();
  server_->set_node(node(3));
  ASSERT_EQ(names(next_news(*source)), "n1 n2 n3");

  server_->cut_connections(ApiServer::Cut::kInsideEvent);
  ASSERT_TRUE(await_watch(2));
  EXPECT_EQ(server_->counters().last_watched_resource_version, "104");
  server_->set_node(node(4));

  EXPECT_EQ(names(next_news(*source)), "n1 n2 n3 n4");
  EXPECT_EQ(server_->counters().lists, 1);
}

TEST_F(ApiNodeSourceTest, ABookmarkMovesWhereACutWatchGoesOn) {
  const auto source = watching();
  server_->send_bookmark();  // 103
  ASSERT_TRUE(eventually([&] {
    server_->cut_connections();
    return server_->counters().last_watched_resource_version == "103";
  }));

  EXPECT_EQ(server_->counters().lists, 1);
  EXPECT_FALSE(is_readable(source->fd()));
}

TEST_F(ApiNodeSourceTest, ChangesDuringACutAreReportedAfterIt) {
  const auto source = watching();

  server_->cut_connections();
  server_->delete_node("n1");

  EXPECT_EQ(names(next_news(*source)), "n2");
  EXPECT_EQ(server_->counters().lists, 1);
}

TEST_F(ApiNodeSourceTest, AnExpiredHistoryIsListedAgainAsOneStep) {
  const auto source = watching();

  server_->replace_nodes({node(2), node(7)});

  EXPECT_EQ(names(next_news(*source)), "n2 n7");
  EXPECT_EQ(server_->counters().lists, 2);
}

TEST_F(ApiNodeSourceTest, Status410IsListedAgain) {
  const auto source = watching();

  server_->set_failure(410, 1);
  server_->cut_connections();
  ASSERT_TRUE(eventually([&] { return server_->counters().lists == 2; }));
  server_->set_node(node(3));

  EXPECT_EQ(names(next_news(*source)), "n1 n2 n3");
}

TEST_F(ApiNodeSourceTest, AQuietConnectionIsGivenUpAndReplaced) {
  auto timings = fast();
  timings.deadlines.idle = 300ms;  // a list takes longer than 50 ms on a busy machine
  const auto source = watching(timings);

  EXPECT_TRUE(await_watch(3));
  EXPECT_EQ(server_->counters().lists, 1);
  EXPECT_FALSE(is_readable(source->fd()));
}

TEST_F(ApiNodeSourceTest, TheTokenFileIsReadForEachRequest) {
  const test::TempDir dir;
  ASSERT_TRUE(write_file_atomically(dir / "token", "first\n"));
  ApiConfig config;
  config.server = server_->url();
  config.token_file = dir / "token";
  const auto source = std::move(*ApiNodeSource::start(config, fast()));
  ASSERT_TRUE(await_watch(1));
  EXPECT_EQ(server_->counters().last_authorization, "Bearer first");

  ASSERT_TRUE(write_file_atomically(dir / "token", "second\n"));
  server_->cut_connections();

  EXPECT_TRUE(
      eventually([&] { return server_->counters().last_authorization == "Bearer second"; }));
}

TEST_F(ApiNodeSourceTest, AFailureIsToldOnceAndEndsWithASnapshot) {
  server_->set_failure(500, 3, R"({"kind":"Status","message":"etcd is away"})");

  const auto source = watch(server_->url());
  const auto failure = next_news(*source);
  const auto recovery = next_news(*source);

  ASSERT_TRUE(failure && !*failure);
  EXPECT_EQ(failure->error().code, EREMOTEIO);
  EXPECT_EQ(failure->error().what, "list nodes: GET " + server_->url() +
                                       "/api/v1/nodes: the server answered 500 \"etcd is away\"");
  EXPECT_EQ(names(recovery), "n1 n2");
}

TEST_F(ApiNodeSourceTest, AWatchThatFailsIsToldAndItsRecoveryToo) {
  const auto source = watching();

  server_->set_failure(500, 2);
  server_->cut_connections();

  EXPECT_EQ(names(next_news(*source)).substr(0, 18), "error: watch nodes");
  EXPECT_EQ(names(next_news(*source)), "n1 n2");
  EXPECT_EQ(server_->counters().lists, 1);
}

TEST_F(ApiNodeSourceTest, TheStatusSaysHowTheWatchIs) {
  const auto source = watching();
  ASSERT_TRUE(eventually([&] { return source->status().connected; }));
  const auto before = source->status();
  EXPECT_TRUE(before.last_heard && before.error.empty());

  server_->send_bookmark();
  EXPECT_TRUE(eventually([&] { return source->status().last_heard > before.last_heard; }));
  server_.reset();

  EXPECT_TRUE(eventually([&] { return !source->status().error.empty(); }));
  EXPECT_FALSE(source->status().connected);
}

struct Refusal {
  int status;
  int code;
  const char* advice;
};
// Each has its own server: the last request of one source must not take the answer meant for
// another.
class RefusalOf : public ApiNodeSourceTest, public testing::WithParamInterface<Refusal> {};

TEST_P(RefusalOf, SaysWhatToDo) {
  server_->set_failure(GetParam().status, 1);

  const auto source = watch(server_->url());
  const auto news = next_news(*source);

  ASSERT_TRUE(news && !*news);
  EXPECT_EQ(news->error().code, GetParam().code);
  EXPECT_NE(news->error().what.find(GetParam().advice), std::string::npos) << news->error().what;
}

INSTANTIATE_TEST_SUITE_P(ApiNodeSource, RefusalOf,
                         testing::Values(Refusal{401, EACCES, "check the token"},
                                         Refusal{403, EPERM, "RBAC"}),
                         [](const auto& tested) { return std::to_string(tested.param.status); });

TEST_F(ApiNodeSourceTest, InvalidJsonAnswerIsReportedAndRetried) {
  server_->set_failure(200, 1, "<html>");

  const auto source = watch(server_->url());

  EXPECT_NE(names(next_news(*source)).find("not JSON"), std::string::npos);
  EXPECT_EQ(names(next_news(*source)), "n1 n2");
}

TEST_F(ApiNodeSourceTest, InvalidJsonEventIsReportedAndCausesAList) {
  const auto source = watching();

  server_->send_raw_line("{\"type\":");

  EXPECT_NE(names(next_news(*source)).find("watch event: not JSON"), std::string::npos);
  EXPECT_EQ(names(next_news(*source)), "n1 n2");
  EXPECT_EQ(server_->counters().lists, 2);
}

TEST_F(ApiNodeSourceTest, AServerThatStartsLaterIsFound) {
  const int port = server_->port();
  server_.reset();
  const auto source = watch("http://127.0.0.1:" + std::to_string(port));
  const auto refused = next_news(*source);

  server_ = std::move(*ApiServer::start({.port = port}));
  server_->set_node(node(5));

  ASSERT_TRUE(refused && !*refused);
  EXPECT_EQ(refused->error().code, ECONNREFUSED);
  EXPECT_EQ(await_names(*source, "n5"), "n5");
}

TEST_F(ApiNodeSourceTest, ItEndsPromptlyDuringAWatch) {
  auto source = watching();

  const auto before = std::chrono::steady_clock::now();
  source.reset();

  EXPECT_LT(std::chrono::steady_clock::now() - before, 200ms);
}

TEST_F(ApiNodeSourceTest, ItEndsPromptlyDuringAPause) {
  server_.reset();
  auto source = watch("http://127.0.0.1:1", {.deadlines = {}, .first_retry = 20s});
  ASSERT_TRUE(next_news(*source));

  const auto before = std::chrono::steady_clock::now();
  source.reset();

  EXPECT_LT(std::chrono::steady_clock::now() - before, 200ms);
}

TEST_F(ApiNodeSourceTest, ItEndsPromptlyWhileAServerDoesNotAnswer) {
  const UniqueFd mute(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_TRUE(mute);
  sockaddr_in address{};
  socklen_t length = sizeof(address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(mute.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(mute.get(), 1), 0);
  ::getsockname(mute.get(), reinterpret_cast<sockaddr*>(&address), &length);
  auto source = watch("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  ASSERT_TRUE(is_readable(mute.get(), test::kDeadline));

  const auto before = std::chrono::steady_clock::now();
  source.reset();

  EXPECT_LT(std::chrono::steady_clock::now() - before, 200ms);
}

}  // namespace
}  // namespace kubecni
