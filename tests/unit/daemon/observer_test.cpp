#include "daemon/observer.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class ObservedDaemon : public testing::Test {
 protected:
  Observer make(std::optional<ListenAddress> address = std::nullopt) {
    return {{folder / "state", folder / "run", folder / "bpffs"},
            {.metrics = address, .health = std::nullopt},
            [this] { return source; }};
  }

  TempDir folder;
  SourceStatus source;
};

TEST_F(ObservedDaemon, IsNotReadyBeforeItsFirstRound) {
  Observer observer = make();

  EXPECT_EQ(observer.answer("/readyz").status, 503u);
  EXPECT_THAT(observer.answer("/readyz").body, HasSubstr("has not finished its first round"));
  EXPECT_EQ(observer.answer("/healthz").status, 200u);
}

TEST_F(ObservedDaemon, IsReadyWhenARoundFoundNothingAgainstIt) {
  Observer observer = make();

  observer.begin_round();
  observer.end_round({.reconciled = true, .dataplane = "ebpf"});

  EXPECT_EQ(observer.answer("/readyz").status, 200u);
  EXPECT_THAT(observer.answer("/metrics").body, HasSubstr("\nkube_cni_ready 1\n"));
}

TEST_F(ObservedDaemon, SaysWhyItIsNotReady) {
  Observer observer = make();

  observer.begin_round();
  observer.end_round({.reconciled = true, .dataplane = "ebpf", .not_ready = "no PodCIDR"});

  EXPECT_EQ(observer.answer("/readyz").status, 503u);
  EXPECT_EQ(observer.answer("/readyz").body, "no PodCIDR\n");
}

TEST_F(ObservedDaemon, CountsWhatRoundsDid) {
  Observer observer = make();
  for (const std::size_t errors : {3, 0, 2}) {
    observer.begin_round();
    observer.end_round({.reconciled = true,
                        .dataplane = "bridge",
                        .known_nodes = 7,
                        .changes = 1,
                        .errors = errors});
  }

  const std::string text = observer.answer("/metrics").body;

  EXPECT_THAT(text, HasSubstr("\nkube_cni_reconcile_duration_seconds_count 3\n"));
  EXPECT_THAT(text, HasSubstr("\nkube_cni_reconcile_errors_total 5\n"));
  EXPECT_THAT(text, HasSubstr("\nkube_cni_reconcile_last_errors 2\n"));
  EXPECT_THAT(text, HasSubstr("\nkube_cni_reconcile_changes_total 3\n"));
  EXPECT_THAT(text, HasSubstr("\nkube_cni_nodes_known 7\n"));
  EXPECT_THAT(text, HasSubstr("\nkube_cni_dataplane_mode{mode=\"bridge\"} 1\n"));
}

TEST_F(ObservedDaemon, DoesNotCountRoundsBeforeTheClusterIsKnown) {
  Observer observer = make();

  observer.begin_round();
  observer.end_round({.reconciled = false, .not_ready = "no node is known"});

  EXPECT_THAT(observer.answer("/metrics").body,
              HasSubstr("\nkube_cni_reconcile_duration_seconds_count 0\n"));
}

TEST_F(ObservedDaemon, TellsHowLongTheSourceIsSilent) {
  Observer observer = make();
  EXPECT_THAT(observer.answer("/metrics").body, Not(HasSubstr("kube_cni_watch_age_seconds")));
  EXPECT_THAT(observer.answer("/metrics").body, HasSubstr("\nkube_cni_watch_connected 0\n"));

  source = {.connected = true,
            .last_heard = std::chrono::steady_clock::now() - std::chrono::hours(10)};

  EXPECT_THAT(observer.answer("/metrics").body, HasSubstr("\nkube_cni_watch_age_seconds 36000"));
  EXPECT_THAT(observer.answer("/metrics").body, HasSubstr("\nkube_cni_watch_connected 1\n"));
}

TEST_F(ObservedDaemon, GoesOnWithoutAnAddressThatIsInUse) {
  const ListenAddress any{*IpAddr::parse("127.0.0.1"), 0};
  auto holder = HttpServer::start(any, [](std::string_view) { return HttpAnswer{}; });
  ASSERT_TRUE(holder);
  Observer observer = make((*holder)->address());

  observer.ensure_serving();
  EXPECT_THAT(observer.describe_metrics(), HasSubstr("not served: listen on 127.0.0.1:"));

  holder->reset();
  observer.ensure_serving();
  EXPECT_THAT(observer.describe_metrics(), testing::StartsWith("http://127.0.0.1:"));
}

TEST_F(ObservedDaemon, HasItsVerdictsAloneForTheKubelet) {
  Observer observer = make();

  EXPECT_EQ(observer.verdict("/healthz").status, 200u);
  EXPECT_EQ(observer.verdict("/readyz").status, 503u);
  EXPECT_EQ(observer.verdict("/metrics").status, 404u);
}

TEST_F(ObservedDaemon, ServesNothingWithoutAnAddress) {
  Observer observer = make();

  observer.ensure_serving();

  EXPECT_EQ(observer.describe_metrics(), "off");
}

}  // namespace
}  // namespace kubecni::test
