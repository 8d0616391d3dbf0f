// What changes the policies' table between rounds, and what has to wait for one.

#include "control/policy/policy_controller.hpp"
#include "net/link_pair.hpp"
#include "support/temp_dir.hpp"

namespace kubecni::test {
namespace {

using nlohmann::json;

class PolicyFollow : public LinkPair {
 protected:
  PolicyFollow() {
    add_record("shop", "10.0.0.2");
    add_record("bank", "10.0.0.3");
    add_policy("bank", "closed");
    here.enter([&] {
      controller_.emplace(must(PolicyController::open(options())));
      round();
    });
  }

  [[nodiscard]] DaemonOptions options() const {
    DaemonOptions options;
    options.state_dir = folder_.path();
    options.bpffs = folder_ / "no-bpffs";
    return options;
  }

  /// A pod with a record and an object; the namespace's name is the pod's, too.
  void add_record(const std::string& space, const std::string& address) {
    Attachment made;
    made.network = "pods";
    made.container_id = space;
    made.netns = "/run/netns/" + space;
    made.pod = space + "/" + space;
    made.port.bridge = "cni0";
    made.port.host_ifname = host_ifname_for("pods", space, "eth0");
    made.port.pod_ifname = "eth0";
    made.port.addresses = {{IpNet::parse(address + "/24").value(), std::nullopt}};
    must(AttachmentStore(folder_.path()).save(made));
    objects_.spaces.push_back(Namespace{.name = space, .labels = {}});
    objects_.pods.push_back(parse_pod(
        {{"metadata", {{"name", space}, {"namespace", space}}}, {"status", {{"podIP", address}}}}));
  }

  void add_policy(const std::string& space, const std::string& name) {
    objects_.policies.push_back(
        parse_network_policy({{"metadata", {{"name", name}, {"namespace", space}}},
                              {"spec", {{"podSelector", json::object()}}}}));
  }

  PolicyView view() { return {.is_on = true, .objects = &objects_, .version = ++version_}; }

  /// Only what is about policies of one.
  void round() {
    kubecni::Outcome outcome;
    controller_->prepare({.pods = {IpNet::parse("10.0.0.0/24").value()}, .not_pods = {}}, view(),
                         outcome);
    controller_->apply(outcome);
    expect_no_failure(outcome);
  }

  bool follow() {
    bool has_followed = false;
    here.enter([&] {
      kubecni::Outcome outcome;
      has_followed = controller_->follow(view(), outcome);
      expect_no_failure(outcome);
    });
    return has_followed;
  }

  static void expect_no_failure(const kubecni::Outcome& outcome) {
    EXPECT_THAT(outcome.texts_of(ConditionKind::kFailed), testing::IsEmpty());
  }

  std::string table() { return Node::must_run_in(here, {"nft", "list", "ruleset"}); }

  TempDir folder_;
  PolicyObjects objects_;
  std::uint64_t version_ = 0;
  std::optional<PolicyController> controller_;
};

TEST_F(PolicyFollow, PodsThatAreJudgedNeedNoRound) {
  add_policy("bank", "second");

  EXPECT_TRUE(follow());

  EXPECT_THAT(table(), testing::HasSubstr("no rule of bank/closed, bank/second"));
  EXPECT_EQ(controller_->status().forced_revision, controller_->status().revision);
}

TEST_F(PolicyFollow, APodThatWasFreeNeedsARound) {
  const std::string before = table();
  add_policy("shop", "first");

  EXPECT_FALSE(follow());
  EXPECT_EQ(table(), before);

  here.enter([&] { round(); });
  EXPECT_THAT(table(), testing::HasSubstr("no rule of shop/first"));
}

TEST_F(PolicyFollow, APodThatCameBeforeItsFirstPolicyNeedsARound) {
  add_record("new", "10.0.0.4");  // its ADD saw no policies of its namespace
  const std::string before = table();
  add_policy("new", "first");

  EXPECT_FALSE(follow());

  EXPECT_EQ(table(), before);
}

TEST_F(PolicyFollow, TheLastPolicyGoesWithARoundAndThenPodsNeedNone) {
  objects_.policies.clear();
  EXPECT_FALSE(follow());
  here.enter([&] { round(); });
  EXPECT_EQ(table(), "");

  add_record("new", "10.0.0.4");

  EXPECT_TRUE(follow());
  EXPECT_EQ(table(), "");
  EXPECT_EQ(controller_->status().mode, "none");
}

TEST_F(PolicyFollow, TheFirstPolicyNeedsARound) {
  objects_.policies.clear();
  here.enter([&] { round(); });
  add_policy("bank", "closed");

  EXPECT_FALSE(follow());

  EXPECT_EQ(table(), "");
}

}  // namespace
}  // namespace kubecni::test
