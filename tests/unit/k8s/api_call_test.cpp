// ApiCall under a node source: failures of networks and servers, and what is tried next.

#include "await.hpp"
#include "base/file.hpp"
#include "k8s/api_node_source.hpp"
#include "support/relay.hpp"
#include "support/temp_dir.hpp"
#include "test_api_server/api_server.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni {
namespace {

using namespace std::chrono_literals;
using test::ApiServer;
using test::await_names;
using test::eventually;
using test::make_node;
using test::names;
using test::next_news;
using test::Relay;

ApiTimings fast_retries() {
  return {.deadlines = {.connect = 2s, .idle = 1s, .answer = 3s},
          .first_retry = 10ms,
          .slowest_retry = 50ms};
}

const ApiRequest kListNodes{.path = "/api/v1/nodes", .permission = "list nodes"};

class ApiTransport : public testing::Test {
 protected:
  ApiTransport() {
    server_->set_node(make_node("n1", "192.0.2.1", "10.1.0.0/24"));
    server_->set_node(make_node("n2", "192.0.2.2", "10.2.0.0/24"));
    config_.server = server_->url();
  }

  std::unique_ptr<NodeSource> start(ApiTimings timings = fast_retries()) {
    return std::move(*ApiNodeSource::start(config_, timings));
  }

  std::unique_ptr<ApiServer> server_ = std::move(*ApiServer::start());
  ApiConfig config_;
};

TEST_F(ApiTransport, AListThatComesSlowlyIsTaken) {
  server_->split_answers(100, 1ms);

  EXPECT_EQ(names(next_news(*start())), "n1 n2");
}

TEST_F(ApiTransport, AListThatDribblesForeverIsGivenUp) {
  server_->split_answers(1, 20ms);
  auto timings = fast_retries();
  timings.deadlines.answer = 300ms;

  const auto news = next_news(*start(timings));

  ASSERT_TRUE(news && !*news);
  EXPECT_EQ(news->error().code, ETIMEDOUT);
  EXPECT_NE(news->error().what.find("no complete answer in 300 ms"), std::string::npos)
      << news->error().what;
}

TEST_F(ApiTransport, AListThatIsBrokenOffIsToldAndTriedAgain) {
  server_->break_off_lists(1);

  const auto source = start();
  const auto news = next_news(*source);

  ASSERT_TRUE(news && !*news);
  EXPECT_EQ(news->error().code, ECONNRESET) << news->error().what;
  EXPECT_EQ(names(next_news(*source)), "n1 n2");
}

TEST_F(ApiTransport, AListWhoseJsonEndsTooEarlyIsToldAndTriedAgain) {
  server_->set_failure(200, 1, R"({"kind":"NodeList","metadata":{},"items":[{"metadata":{"na)");

  const auto source = start();
  const auto news = next_news(*source);

  ASSERT_TRUE(news && !*news);
  EXPECT_EQ(news->error().code, EBADMSG);
  EXPECT_NE(news->error().what.find("ends inside an item"), std::string::npos)
      << news->error().what;
  EXPECT_EQ(names(next_news(*source)), "n1 n2");
}

TEST_F(ApiTransport, ASilentPeerIsGivenUpAndAnotherConnectionGoesOn) {
  Relay relay(server_->port());
  config_.server = relay.url();
  const auto source = start();
  ASSERT_EQ(await_names(*source, "n1 n2"), "n1 n2");
  ASSERT_TRUE(eventually([&] { return server_->counters().live_watches == 1; }));

  relay.freeze();
  server_->set_node(make_node("n3", "192.0.2.3", "10.3.0.0/24"));

  EXPECT_EQ(await_names(*source, "n1 n2 n3"), "n1 n2 n3");
}

TEST_F(ApiTransport, AServerThatAcceptsAndSaysNothingIsTold) {
  Relay relay(server_->port());
  relay.freeze_all();
  config_.server = relay.url();

  const auto news = next_news(*start());

  ASSERT_TRUE(news && !*news);
  EXPECT_EQ(news->error().code, ETIMEDOUT);
  EXPECT_NE(news->error().what.find("the server said nothing for 1000 ms"), std::string::npos)
      << news->error().what;
}

TEST_F(ApiTransport, AWatchThatDribblesForeverEndsAndAnotherOneGoesOn) {
  auto timings = fast_retries();
  timings.deadlines.watch = 1s;
  const auto source = start(timings);
  ASSERT_EQ(await_names(*source, "n1 n2"), "n1 n2");
  ASSERT_TRUE(eventually([&] { return server_->counters().live_watches == 1; }));

  server_->split_answers(1, 50ms);
  server_->set_node(make_node("n3", "192.0.2.3", "10.3.0.0/24"));
  ASSERT_TRUE(eventually([&] { return server_->counters().watches == 2; }));
  server_->split_answers(0, 0ms);

  EXPECT_EQ(await_names(*source, "n1 n2 n3"), "n1 n2 n3");
}

/// Several requests of one client at once, by HTTP/1.1.
class ApiRequests : public ApiTransport {
 protected:
  struct Outcome {
    bool is_open = false;
    std::string read;
    std::optional<Result<>> result;
  };

  void start(Outcome& outcome, const std::string& path, std::chrono::milliseconds deadline = 60s) {
    client_->start({.path = path, .permission = "list nodes"},
                   {.opened = [&] { outcome.is_open = true; },
                    .read =
                        [&](std::string_view bytes) {
                          outcome.read += bytes;
                          return Result<>();
                        }},
                   deadline, [&](Result<> result, auto) { outcome.result = std::move(result); });
  }

  template <typename Condition>
  bool turn_until(Condition holds) {
    return eventually([&] {
      client_->turn(ApiClient::Clock::now() + 10ms);
      return holds();
    });
  }

  /// A list times out, and the watch goes on.
  void expect_timeout_beside(Outcome& watch) {
    Outcome list;
    start(list, list_, 200ms);
    ASSERT_TRUE(turn_until([&] { return list.result.has_value(); }));
    EXPECT_EQ(list.result->error().code, ETIMEDOUT);
    server_->split_answers(0, 0ms);
    server_->set_node(make_node("n3", "192.0.2.3", "10.3.0.0/24"));
    EXPECT_TRUE(turn_until([&] { return watch.read.ends_with("\n"); }));
    EXPECT_FALSE(watch.result) << watch.result->error().what;
  }

  const std::string list_ = kListNodes.path, watch_ = kListNodes.path + "?watch=1";
  Relay relay_{server_->port()};
  std::unique_ptr<ApiClient> client_ =
      std::move(*ApiClient::create({.server = relay_.url()}, {.connect = 500ms, .idle = 60s}));
};

TEST_F(ApiRequests, OneWithoutAnyAnswerDoesNotCutOthers) {
  Outcome watch;
  start(watch, watch_);
  ASSERT_TRUE(turn_until([&] { return watch.is_open; }));

  relay_.freeze_next();
  expect_timeout_beside(watch);
}

TEST_F(ApiRequests, OneThatDribblesForeverDoesNotCutOthers) {
  Outcome watch;
  start(watch, watch_);
  ASSERT_TRUE(turn_until([&] { return watch.is_open; }));

  server_->split_answers(1, 20ms);
  expect_timeout_beside(watch);
}

TEST_F(ApiRequests, OneThatHangsDoesNotHoldUpOthersOnceTheServerHasAnswered) {
  Outcome first, hanging, other;
  start(first, list_);
  ASSERT_TRUE(turn_until([&] { return first.result.has_value(); }));
  ASSERT_TRUE(*first.result) << first.result->error().what;

  relay_.freeze_next();
  start(hanging, list_);
  ASSERT_TRUE(turn_until([&] { return relay_.connections() == 2; }));
  start(other, list_);

  EXPECT_TRUE(turn_until([&] { return other.result.has_value(); }));
  EXPECT_FALSE(hanging.result);
}

/// If the server gave a time to wait, the usual backoff does not count.
class ApiRetryAfter : public ApiTransport, public testing::WithParamInterface<int> {};

TEST_P(ApiRetryAfter, IsWaitedFor) {
  server_->set_failure(GetParam(), 1, "", 1s);

  const auto before = std::chrono::steady_clock::now();
  const auto source = start();

  EXPECT_EQ(await_names(*source, "n1 n2"), "n1 n2");
  EXPECT_GE(std::chrono::steady_clock::now() - before, 1s);
}

INSTANTIATE_TEST_SUITE_P(Status, ApiRetryAfter, testing::Values(429, 503),
                         [](const auto& tested) { return std::to_string(tested.param); });

TEST_F(ApiTransport, RetryAfterIsBounded) {
  auto client = std::move(*ApiClient::create(config_, fast_retries().deadlines));
  server_->set_failure(429, 1, "", 7200s);

  EXPECT_FALSE(client->ask(kListNodes));
  EXPECT_EQ(client->retry_after(), 60s);
  EXPECT_TRUE(client->ask(kListNodes));
  EXPECT_EQ(client->retry_after(), 0s);
}

TEST_F(ApiTransport, A401IsTriedAgainAtOnceWithTheTokenOfRightNow) {
  const test::TempDir dir;
  const auto write = [&](const char* token) {
    EXPECT_TRUE(write_file_atomically(dir / "token", token));
  };
  write("old");
  config_.token_file = dir / "token";
  server_->require_token("new", [&] { write("new"); });

  const auto source = start({.deadlines = {}, .first_retry = 60s});

  EXPECT_EQ(names(next_news(*source)), "n1 n2");
  EXPECT_EQ(server_->counters().lists, 2);
}

TEST_F(ApiTransport, A401WithTheSameTokenIsNotTriedAgainAtOnce) {
  config_.token = "old";
  server_->require_token("new");

  const auto source = start({.deadlines = {}, .first_retry = 60s});

  const auto news = next_news(*source);
  ASSERT_TRUE(news && !*news);
  EXPECT_EQ(news->error().code, EACCES);
  EXPECT_EQ(server_->counters().lists, 1);
}

// A connection keeps its certificate when the file is replaced.
TEST_F(ApiTransport, A401IsTriedAgainAtOnceByANewConnectionWhereThereIsACertificate) {
  config_.token = "old";
  config_.client_cert_file = "client.crt";
  server_->require_token("new");

  const auto source = start({.deadlines = {}, .first_retry = 60s});

  const auto news = next_news(*source);
  ASSERT_TRUE(news && !*news);
  EXPECT_EQ(server_->counters().lists, 2);
}

TEST_F(ApiTransport, AnotherServerIsAskedWhereTheFirstDoesNotAnswer) {
  config_.more_servers = {config_.server};
  config_.server = "http://127.0.0.1:1";

  const auto source = start({.deadlines = {}, .first_retry = 60s});

  EXPECT_EQ(names(next_news(*source)), "n1 n2");
  EXPECT_EQ(source->describe(), "kubernetes " + server_->url());
}

TEST_F(ApiTransport, WhenNoServerAnswersTheFirstIsTold) {
  config_.server = "http://127.0.0.1:1";
  config_.more_servers = {"http://127.0.0.1:2"};
  config_.advice = "name another";

  const auto news = next_news(*start());

  ASSERT_TRUE(news && !*news);
  EXPECT_EQ(news->error().code, ECONNREFUSED);
  EXPECT_EQ(
      news->error().what,
      "list nodes: GET http://127.0.0.1:1/api/v1/nodes: connect: Connection refused; check "
      "address and port, and that the server runs; other addresses tried in vain: 1; name another");
}

TEST_F(ApiTransport, AMissingTokenIsNoReasonToAskAnother) {
  config_.server = "http://127.0.0.1:1";
  config_.more_servers = {server_->url()};
  config_.token_file = "/nonexistent/token";

  const auto source = start();
  const auto news = next_news(*source);

  ASSERT_TRUE(news && !*news);
  EXPECT_EQ(news->error().code, ENOENT);
  EXPECT_EQ(source->describe(), "kubernetes http://127.0.0.1:1");
}

TEST_F(ApiTransport, ARefusalIsNoReasonToAskAnother) {
  auto other = std::move(*ApiServer::start());
  config_.more_servers = {other->url()};
  server_->forbid("list nodes");

  const auto news = next_news(*start());

  ASSERT_TRUE(news && !*news);
  EXPECT_EQ(news->error().code, EPERM);
  EXPECT_EQ(other->counters().lists, 0);
}

}  // namespace
}  // namespace kubecni
