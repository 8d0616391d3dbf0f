// ADD and DEL of pods that policies are about: a pod is closed from its first instant on, and its
// policies are in force when ADD returns.

#include "base/boot_id.hpp"
#include "impatient.hpp"
#include "net/nft_batch.hpp"
#include "policy_nodes.hpp"
#include "state/files.hpp"

#include <csignal>
#include <cstdio>

namespace kubecni::test {
namespace {

/// Pods 0 and 3 are in the namespace x, 4 is in y, 2 in z. Pods that come later are number 6, in x
/// and on the first node, where 0, 2 and 4 are, too.
class PolicyAdd : public PolicyOfANode {
 protected:
  static constexpr std::size_t kLate = 6;
  static constexpr std::uint16_t kPort = 50000;

  /// The policy of x: its pods reach only those of y, by one more port for each `change`.
  void write_policy(const std::string& space, int change = 0, bool has_late_pod = true,
                    const std::string& uid = "") {
    auto all = addresses();
    all.push_back({"203.0.113.1", "2001:db8::1"});  // the node knows better
    json objects = RandomPolicies(1).cluster(has_late_pod ? kLate + 1 : kLate, 0, all);
    objects["pods"].back()["metadata"]["uid"] = uid;
    json to_y{
        {"to",
         {{{"namespaceSelector", {{"matchLabels", {{"kubernetes.io/metadata.name", "y"}}}}}}}},
        {"ports", json::array()}};
    for (int port = kFirstPort; port <= kFirstPort + change; ++port)
      to_y["ports"].push_back({{"protocol", "UDP"}, {"port", port}});
    objects["policies"].push_back(
        {{"kind", "NetworkPolicy"},
         {"metadata", {{"name", "out"}, {"namespace", space}}},
         {"spec", {{"policyTypes", {"Egress"}}, {"egress", json::array({to_y})}}}});
    write(objects);
  }

  /// Until the daemon of the first node enforces what was written.
  void await_table(const std::string& text) {
    ASSERT_TRUE(eventually([&] {
      return has_table(cluster.a) &&
             cluster.a.must_run({"nft", "list", "table", "inet", "kube-cni-policy"}).find(text) !=
                 std::string::npos;
    })) << cluster.daemon_a->err();
  }
  void await_policy() { await_table("x/out#egress0"); }

  /// An ADD of x/pod6, of which there is no object, when it has written its record.
  [[nodiscard]] Process start_waiting(const Pod& pod) const {
    Process adding = cluster.a.start(call_for("ADD", pod, kLate));
    EXPECT_TRUE(eventually([&] {
      const auto records = must(AttachmentStore(cluster.a.state_dir()).list()).attachments;
      return std::ranges::count(records, "x/pod6", &Attachment::pod) == 1;
    }));
    EXPECT_TRUE(adding.is_running());
    return adding;
  }

  void stop_daemon() {
    cluster.daemon_a->signal(SIGTERM);
    cluster.daemon_a->wait();
  }

  /// What a boot leaves of the first node's policies: the mark of the boot before.
  void reboot() const {
    const auto mark = cluster.a.state_dir() / kPoliciesFile;
    std::string text = must(read_file(mark));
    const auto boot = text.find(current_boot_id());
    ASSERT_NE(boot, text.npos) << text;
    text[boot] = text[boot] == '0' ? '1' : '0';
    must(write_file_atomically(mark, text));
    cluster.a.must_run({"nft", "delete", "table", "inet", "kube-cni-policy"});
  }

  [[nodiscard]] std::string known() const {
    return cluster.a.must_run({"nft", "list", "set", "inet", "kube-cni-policy", "known4"});
  }
  [[nodiscard]] bool has_known() const {
    std::optional<std::vector<NftElement>> known;
    cluster.a.netns.enter([&] { known = must(list_nft_elements("kube-cni-policy", "known4")); });
    return known && !known->empty();
  }
  [[nodiscard]] std::vector<IpAddr> targets() const {
    return {pods_[0]->address, pods_[3]->address, pods_[4]->address};
  }
};

TEST_F(PolicyAdd, ReturnsWhenThePoliciesAreInForce) {
  write_policy("x");
  await_policy();

  add_pod(kLate);

  EXPECT_TRUE(is_policed(kLate));
  Impatient sender(pods_[kLate]->netns, kPort, targets());
  EXPECT_TRUE(eventually([&] { return arrived(4, kPort) > 0; })) << "y is allowed";
  EXPECT_EQ(arrived(0, kPort), 0u) << "x is not";
  EXPECT_EQ(arrived(3, kPort), 0u);
}

TEST_F(PolicyAdd, APodIsClosedFromItsFirstInstantWhilePoliciesChange) {
  write_policy("x");
  await_policy();

  for (std::uint16_t i = 0; i < 25; ++i) {
    const std::uint16_t port = kPort + i;
    const Pod pod("pod" + std::to_string(kLate));
    Impatient sender(pod.netns, port, targets());
    write_policy("x", i % 2);
    ASSERT_TRUE(ok(cluster.a.call(call_for("ADD", pod, kLate)))) << cluster.daemon_a->err();
    write_policy("x", (i + 1) % 2);
    EXPECT_TRUE(eventually([&] { return arrived(4, port) > 0; })) << "y is allowed";
    EXPECT_GT(sender.sent(), 0u);
    ASSERT_TRUE(ok(cluster.a.call(call_for("DEL", pod, kLate))));
    EXPECT_EQ(arrived(0, port), 0u) << "in round " << i;
    EXPECT_EQ(arrived(3, port), 0u) << "in round " << i;
  }
}

TEST_F(PolicyAdd, WithoutThePodObjectThePodIsClosedAndAddAnswersTryAgain) {
  write_policy("x", 0, false);
  await_policy();
  const Pod pod("pod6");
  Impatient sender(pod.netns, kPort, targets());

  EXPECT_TRUE(failed(cluster.a.call(call_for("ADD", pod, kLate, {{"policyTimeout", 1}})), 11,
                     "network policies of pod x/pod6 are not in force after 1 s"));

  EXPECT_GT(sender.sent(), 0u);
  for (const std::size_t at : {0, 3, 4}) EXPECT_EQ(arrived(at, kPort), 0u) << at;
  const auto records = must(AttachmentStore(cluster.a.state_dir()).list()).attachments;
  EXPECT_EQ(std::ranges::count(records, "x/pod6", &Attachment::pod), 0);
}

// As of a StatefulSet: the daemon may still have the object of the pod that had the name before.
TEST_F(PolicyAdd, TheObjectOfAFormerPodWithTheNameDoesNotCount) {
  write_policy("x", 0, true, "former");
  await_policy();
  const Pod pod("pod6");
  CniCall call = call_for("ADD", pod, kLate, {{"policyTimeout", 1}});
  for (std::string& variable : call.env)
    if (variable.starts_with("CNI_ARGS=")) variable += ";K8S_POD_UID=new";

  EXPECT_TRUE(failed(cluster.a.call(call), 11, "not in force"));
  write_policy("x", 0, true, "new");
  EXPECT_TRUE(eventually([&] { return cluster.a.call(call).status == 0; }));
}

TEST_F(PolicyAdd, AnObjectThatComesLateEndsTheWait) {
  write_policy("x", 0, false);
  await_policy();
  const Pod pod("pod6");
  Process adding = start_waiting(pod);

  write_policy("x");

  const auto answer = adding.wait();
  EXPECT_EQ(answer.status, 0) << answer.out << answer.err;
}

TEST_F(PolicyAdd, TheEndOfTheLastPolicyEndsTheWait) {
  write_policy("x", 0, false);
  await_policy();
  const Pod pod("pod6");
  Process adding = start_waiting(pod);

  write({{"policies", json::array()}, {"pods", json::array()}, {"namespaces", json::array()}});

  const auto answer = adding.wait();
  EXPECT_EQ(answer.status, 0) << answer.out << answer.err;
}

TEST_F(PolicyAdd, WithoutTheDaemonTheLastKnownStateDecidesWhereThatSuffices) {
  write_policy("x");
  await_policy();
  stop_daemon();

  // Of y, number 10: no policy can select it.
  const Pod open("pod10"), closed("pod6");
  const auto answer = cluster.a.call(call_for("ADD", open, 10));
  ASSERT_TRUE(ok(answer));
  Impatient sender(open.netns, kPort, {pods_[0]->address});
  EXPECT_TRUE(eventually([&] { return arrived(0, kPort) > 0; }))
      << "by the programs or the kernel path";
  EXPECT_NE(
      known().find(IpNet::parse(answer.json["ips"][0]["address"].get<std::string>())->addr.str()),
      std::string::npos)
      << known();
  EXPECT_TRUE(failed(cluster.a.call(call_for("ADD", closed, kLate, {{"policyTimeout", 1}})), 11,
                     "not in force"));
}

// While the node was down, a namespace that had no policies may have got its first one.
TEST_F(PolicyAdd, AfterABootAPodOfAnyNamespaceWaitsUntilThePoliciesAreKnown) {
  write_policy("x");
  await_policy();
  stop_daemon();
  reboot();
  const Pod of_y("pod10");
  Impatient sender(of_y.netns, kPort, {pods_[0]->address});
  const auto add = [&] {
    return cluster.a.call(call_for("ADD", of_y, 10, {{"policyTimeout", 1}}));
  };
  EXPECT_TRUE(failed(add(), 11, "this node does not enforce them"));

  must(write_file_atomically(folder_ / "policies.json", "none can be read"));
  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));
  ASSERT_TRUE(eventually([&] { return has_table(cluster.a); })) << cluster.daemon_a->err();
  EXPECT_TRUE(failed(add(), 11, "not in force"));
  EXPECT_EQ(arrived(0, kPort), 0u);

  write_policy("x");
  await_policy();
  EXPECT_TRUE(ok(add())) << cluster.daemon_a->err();
  EXPECT_TRUE(eventually([&] { return arrived(0, kPort) > 0; }));
}

TEST_F(PolicyAdd, AnAddressThatAPodHasLeftIsClosedForTheNext) {
  write_policy("x");
  await_policy();
  Pod former("pod6");
  const auto answer = cluster.a.call(call_for("ADD", former, kLate));
  ASSERT_TRUE(ok(answer));
  const auto address = IpNet::parse(answer.json["ips"][0]["address"].get<std::string>())->addr;
  ASSERT_NE(known().find(address.str()), std::string::npos);
  stop_daemon();
  ASSERT_TRUE(ok(cluster.a.call(call_for("DEL", former, kLate))));
  EXPECT_EQ(known().find(address.str()), std::string::npos) << known();

  const Pod next("pod12");  // of x, too
  Impatient sender(next.netns, kPort, targets());
  Process adding = cluster.a.start(call_for(
      "ADD", next, 12, {{"policyTimeout", 2}, {"runtimeConfig", {{"ips", {address.str()}}}}}));
  EXPECT_TRUE(eventually([&] { return sender.sent() > 1000; }));
  const auto refused = adding.wait();

  EXPECT_NE(refused.out.find("\"code\": 11"), std::string::npos) << refused.out;
  for (const std::size_t at : {0, 3, 4}) EXPECT_EQ(arrived(at, kPort), 0u) << at;
  const auto table = cluster.a.must_run({"nft", "list", "table", "inet", "kube-cni-policy"});
  EXPECT_EQ(table.find(address.str()), std::string::npos) << table;
}

TEST_F(PolicyAdd, AFlushedTableIsBackAtOnce) {
  write_policy("x");
  await_policy();
  add_pod(kLate);
  Impatient sender(pods_[kLate]->netns, kPort, {pods_[0]->address});
  ASSERT_TRUE(eventually([&] { return sender.sent() > 0; }));

  std::chrono::duration<double> missing{};
  for (int i = 0; i < 10; ++i) {
    cluster.a.must_run({"nft", "flush", "ruleset"});
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(eventually([&] { return has_known(); }));
    missing += std::chrono::steady_clock::now() - begin;
  }

  std::printf("a flushed table was back after %.1f ms on average; %zu datagrams passed\n",
              missing.count() * 1000 / 10, arrived(0, kPort));
  EXPECT_EQ(arrived(0, kPort), 0u);
  EXPECT_LT(missing, std::chrono::seconds(10)) << "ten rounds of the daemon take longer";
}

}  // namespace
}  // namespace kubecni::test
