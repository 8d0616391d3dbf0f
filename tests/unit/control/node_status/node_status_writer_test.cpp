#include "control/node_status/node_status_writer.hpp"

#include "base/log.hpp"
#include "support/eventually.hpp"
#include "test_api_server/api_server.hpp"

#include <gtest/gtest.h>

namespace kubecni {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::ApiServer;
using test::eventually;

const NodeReadiness kReady{};
const NodeReadiness kKernelPath{.why_not_ready = "", .kernel_path_reason = "no bpf(2)"};
const NodeReadiness kNotReady{.why_not_ready = "no PodCIDR", .kernel_path_reason = ""};

class NodeStatusWriterTest : public testing::Test {
 protected:
  NodeStatusWriterTest() { server_->set_node(test::make_node("n1", "192.0.2.1", "10.1.0.0/24")); }

  std::unique_ptr<NodeStatusWriter> start(std::chrono::milliseconds grace = 1h) {
    ApiConfig config;
    config.server = server_->url();
    return std::move(*NodeStatusWriter::start(
        config, nullptr,
        {.node_name = "n1",
         .startup_taint = "start",
         .timings = {
             .grace = grace, .least_interval = 1ms, .first_retry = 5ms, .slowest_retry = 20ms}}));
  }

  /// The reason in the node's condition; "" when it has none.
  std::string reason() {
    for (const json& condition :
         server_->node("n1").value("/status/conditions"_json_pointer, json::array()))
      if (condition["type"] == "NetworkUnavailable") return condition["reason"];
    return "";
  }
  bool comes_to_say(const std::string& wanted) {
    return eventually([&] { return reason() == wanted; });
  }
  int asked(const std::string& permission) { return server_->counters().asked[permission]; }
  /// Whether the writer looks `times` times after what `begin` does.
  template <typename Begin>
  bool looks_after(Begin begin, int times = 1) {
    const int before = asked("get nodes");
    begin();
    return eventually([&] { return asked("get nodes") >= before + times; });
  }

  std::unique_ptr<ApiServer> server_ = std::move(*ApiServer::start());
};

TEST_F(NodeStatusWriterTest, SaysNothingBeforeItIsToldAnything) {
  start()->look_again();

  EXPECT_TRUE(server_->counters().requests.empty());
}

TEST_F(NodeStatusWriterTest, SaysThatTheNodeIsReady) {
  const auto writer = start();

  writer->want(kReady);

  EXPECT_TRUE(comes_to_say("KubeCniReady"));
  EXPECT_TRUE(server_->events().empty());
}

TEST_F(NodeStatusWriterTest, ARestartRewritesNothing) {
  auto writer = start();
  writer->want(kKernelPath);
  ASSERT_TRUE(comes_to_say("KubeCniKernelPathOnly"));
  writer.reset();

  writer = start();
  ASSERT_TRUE(looks_after([&] { writer->want(kKernelPath); }));
  ASSERT_TRUE(looks_after([&] { writer->look_again(); }));

  EXPECT_EQ(asked("patch nodes/status"), 1);
  EXPECT_EQ(asked("create events"), 1);
}

TEST_F(NodeStatusWriterTest, PutsBackWhatSomebodyRemoved) {
  const auto writer = start();
  writer->want(kReady);
  ASSERT_TRUE(comes_to_say("KubeCniReady"));

  server_->set_node(test::make_node("n1", "192.0.2.1", "10.1.0.0/24"));
  writer->look_again();

  EXPECT_TRUE(comes_to_say("KubeCniReady"));
}

TEST_F(NodeStatusWriterTest, TakesItBackOnlyWhenThatLasts) {
  auto writer = start();
  writer->want(kReady);
  ASSERT_TRUE(comes_to_say("KubeCniReady"));
  ASSERT_TRUE(looks_after([&] { writer->want(kNotReady); }));
  EXPECT_EQ(reason(), "KubeCniReady");
  writer.reset();

  writer = start(50ms);
  writer->want(kNotReady);
  EXPECT_TRUE(comes_to_say("KubeCniNotReady"));
  writer->want(kReady);
  EXPECT_TRUE(comes_to_say("KubeCniReady"));
}

TEST_F(NodeStatusWriterTest, LooksNoMoreOftenWhileTheNodeIsNotReady) {
  const auto writer = start(1ms);
  writer->want(kNotReady);
  ASSERT_TRUE(comes_to_say("KubeCniNotReady"));

  // What it does by itself now comes with the next interval, in minutes.
  EXPECT_FALSE(eventually([&] { return asked("get nodes") > 2; }, 200ms));
}

TEST_F(NodeStatusWriterTest, EachChangeBetweenEbpfAndKernelPathIsOneEvent) {
  const auto writer = start();

  writer->want(kKernelPath);
  ASSERT_TRUE(comes_to_say("KubeCniKernelPathOnly"));
  writer->want(kKernelPath);
  ASSERT_TRUE(looks_after([&] { writer->look_again(); }));
  writer->want(kReady);
  ASSERT_TRUE(comes_to_say("KubeCniReady"));

  const auto events = server_->events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_NE(events[0]["type"], events[1]["type"]);
}

TEST_F(NodeStatusWriterTest, AnEventThatFailsAloneIsSentAgain) {
  server_->fail_events(2);
  const auto writer = start();

  writer->want(kKernelPath);

  EXPECT_TRUE(comes_to_say("KubeCniKernelPathOnly"));
  EXPECT_TRUE(eventually([&] { return server_->events().size() == 1; }));
  EXPECT_EQ(asked("create events"), 3);
  EXPECT_EQ(asked("patch nodes/status"), 1);
}

TEST_F(NodeStatusWriterTest, ANameIsPartOfAPathAndNothingElse) {
  const auto writer = std::move(*NodeStatusWriter::start(
      [&] {
        ApiConfig config;
        config.server = server_->url();
        return config;
      }(),
      nullptr, {.node_name = "n1?x=n2#", .timings = {.first_retry = 5ms}}));

  writer->want(kReady);

  EXPECT_TRUE(eventually([&] { return asked("get nodes") > 0; }));
  EXPECT_EQ(reason(), "") << "that is another node";
}

TEST_F(NodeStatusWriterTest, RemovesTheStartUpTaintAndNoOther) {
  json node = test::make_node("n1", "192.0.2.1", "10.1.0.0/24");
  node["spec"]["taints"] = {{{"key", "other"}, {"effect", "NoSchedule"}},
                            {{"key", "start"}, {"effect", "NoSchedule"}}};
  server_->set_node(node);
  const auto writer = start();

  writer->want(kReady);

  EXPECT_TRUE(eventually([&] {
    return server_->node("n1")["spec"]["taints"] ==
           json::array({{{"key", "other"}, {"effect", "NoSchedule"}}});
  }));
}

TEST_F(NodeStatusWriterTest, WhatIsForbiddenLeavesTheRestWorking) {
  json node = test::make_node("n1", "192.0.2.1", "10.1.0.0/24");
  node["spec"]["taints"] = {{{"key", "start"}, {"effect", "NoSchedule"}}};
  server_->set_node(node);
  server_->forbid("patch nodes/status");
  server_->forbid("create events");
  ASSERT_TRUE(log::start("kube-cnid", "info"));  // on standard error
  testing::internal::CaptureStderr();
  const auto writer = start();

  writer->want(kKernelPath);
  EXPECT_TRUE(eventually([&] {
    return server_->node("n1")["spec"]["taints"] == json::array() &&
           asked("patch nodes/status") > 0;
  }));
  server_->allow_all();
  EXPECT_TRUE(comes_to_say("KubeCniKernelPathOnly"));
  EXPECT_EQ(server_->events().size(), 1u);

  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("allow this account to patch nodes/status (RBAC)"), std::string::npos) << log;
}

TEST_F(NodeStatusWriterTest, AServerThatIsAwayIsTriedAgain) {
  const int port = server_->port();
  auto writer = start();
  server_.reset();
  writer->want(kReady);

  server_ = std::move(*ApiServer::start({.port = port}));
  server_->set_node(test::make_node("n1", "192.0.2.1", "10.1.0.0/24"));

  EXPECT_TRUE(comes_to_say("KubeCniReady"));
}

TEST_F(NodeStatusWriterTest, ANodeThatIsNotRegisteredYetIsWaitedFor) {
  server_->delete_node("n1");
  const auto writer = start();
  ASSERT_TRUE(looks_after([&] { writer->want(kReady); }, 2));

  server_->set_node(test::make_node("n1", "192.0.2.1", "10.1.0.0/24"));

  EXPECT_TRUE(comes_to_say("KubeCniReady"));
}

TEST_F(NodeStatusWriterTest, EndsPromptlyWhateverItWaitsFor) {
  auto writer = start();
  writer->want(kReady);
  ASSERT_TRUE(comes_to_say("KubeCniReady"));

  const auto before = std::chrono::steady_clock::now();
  writer.reset();

  EXPECT_LT(std::chrono::steady_clock::now() - before, 500ms);
}

}  // namespace
}  // namespace kubecni
