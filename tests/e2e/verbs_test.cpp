// Each verb, in each version of the specification, as a runtime calls it.

#include "base/file.hpp"
#include "base/file_lock.hpp"
#include "dataplane/program_loader.hpp"
#include "expect.hpp"
#include "state/files.hpp"
#include "support/node_state.hpp"

namespace kubecni::test {
namespace {

using nlohmann::json;

class Verbs : public testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] bool is_at_least(const std::string& version) const { return GetParam() >= version; }
  [[nodiscard]] json conf() const { return {{"cniVersion", GetParam()}}; }

  Node node{"node", "10.200.0.0/24", "ebpf"};
};

TEST_P(Verbs, AddAnswersInTheVersionOfTheConfiguration) {
  const Pod pod("pod");

  const auto answer = node.cni("ADD", pod, conf());

  ASSERT_TRUE(ok(answer));
  const auto& result = answer.json;
  EXPECT_EQ(result["cniVersion"], GetParam());
  ASSERT_EQ(result["interfaces"].size(), 2u);
  const json& host = result["interfaces"][0];
  const json& eth0 = result["interfaces"][1];
  EXPECT_FALSE(host.contains("sandbox"));
  EXPECT_EQ(eth0["name"], "eth0");
  EXPECT_EQ(eth0["sandbox"], pod.netns.path());
  EXPECT_EQ(eth0.contains("mtu"), is_at_least("1.1.0"));
  ASSERT_EQ(result["ips"].size(), 1u);
  EXPECT_EQ(result["ips"][0]["address"], "10.200.0.2/24");
  EXPECT_EQ(result["ips"][0]["gateway"], "10.200.0.1");
  EXPECT_EQ(result["ips"][0]["interface"], 1);
  EXPECT_EQ(result["ips"][0].value("version", ""), is_at_least("1.0.0") ? "" : "4");
  ASSERT_EQ(result["routes"].size(), 1u);
  EXPECT_EQ(result["routes"][0]["dst"], "0.0.0.0/0");
  EXPECT_EQ(result["routes"][0]["gw"], "10.200.0.1");
}

TEST_P(Verbs, AddMakesWhatItAnswers) {
  const Pod pod("pod");

  const auto answer = node.cni("ADD", pod, conf());

  ASSERT_TRUE(ok(answer));
  const json host = answer.json["interfaces"][0];
  const json eth0 = answer.json["interfaces"][1];
  const json pod_link =
      json::parse(Node::must_run_in(pod.netns, {"ip", "-j", "link", "show", "eth0"}))[0];
  EXPECT_EQ(pod_link["address"], eth0["mac"]);
  const json host_link =
      json::parse(node.must_run({"ip", "-j", "-d", "link", "show", host["name"]}))[0];
  EXPECT_EQ(host_link["address"], host["mac"]);
  EXPECT_EQ(host_link["master"], "cni0");
  const json port = host_link["linkinfo"]["info_slave_data"];
  EXPECT_EQ(port["hairpin"], true);
  EXPECT_EQ(port["learning"], false);
  EXPECT_EQ(port["flood"], false);
  EXPECT_THAT(Node::must_run_in(pod.netns, {"ip", "-o", "-4", "addr", "show", "eth0"}),
              testing::HasSubstr("10.200.0.2/24"));
  EXPECT_THAT(Node::must_run_in(pod.netns, {"ip", "route"}),
              testing::HasSubstr("default via 10.200.0.1 dev eth0"));
  EXPECT_THAT(node.must_run({"bridge", "fdb", "show", "br", "cni0"}),
              testing::HasSubstr(eth0["mac"].get<std::string>() + " dev " +
                                 host["name"].get<std::string>() + " sticky master cni0 static"));
}

TEST_P(Verbs, DelTakesAwayWhatAddMade) {
  const Pod first = node.add_pod("first", conf());
  const Pod pod("pod");
  const auto before = state_of(node, {&first, &pod}, false);
  ASSERT_TRUE(ok(node.cni("ADD", pod, conf())));

  const auto answer = node.cni("DEL", pod, conf());

  EXPECT_TRUE(ok(answer));
  EXPECT_EQ(answer.out, "");
  EXPECT_EQ(state_of(node, {&first, &pod}, false), before);
}

TEST_P(Verbs, CheckOfAnUntouchedPodSucceeds) {
  const Pod pod("pod");
  const auto added = node.cni("ADD", pod, conf());
  json with_result = conf();
  with_result["prevResult"] = added.json;

  const auto answer = node.cni("CHECK", pod, with_result);

  if (is_at_least("0.4.0")) {
    EXPECT_TRUE(ok(answer));
    EXPECT_EQ(answer.out, "");
  } else {
    EXPECT_TRUE(failed(answer, 1, "CHECK"));
  }
}

TEST_P(Verbs, StatusOfAHealthyNodeSucceeds) {
  const auto answer = node.call({.env = {"CNI_COMMAND=STATUS"}, .input = node.conf(conf()).dump()});

  if (is_at_least("1.1.0")) {
    EXPECT_TRUE(ok(answer));
    EXPECT_EQ(answer.out, "");
  } else {
    EXPECT_TRUE(failed(answer, 1, "STATUS"));
  }
}

TEST_P(Verbs, VersionAnswersInTheVersionItIsAskedIn) {
  const auto answer = node.call({.env = {"CNI_COMMAND=VERSION", "CNI_CONTAINERID=dummy",
                                         "CNI_NETNS=dummy", "CNI_IFNAME=dummy", "CNI_PATH=dummy"},
                                 .input = conf().dump()});

  ASSERT_TRUE(ok(answer));
  EXPECT_EQ(answer.json["cniVersion"], GetParam());
  EXPECT_EQ(answer.json["supportedVersions"],
            json({"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"}));
}

// Runtimes show their users what a plugin writes to standard error.
TEST(Quiet, AreAddAndDelOfAPodByDefault) {
  for (const char* bpffs : {"/sys/fs/bpf/kube-cni-test-node", "/run/no-bpffs"}) {
    const Node node("node", "10.200.0.0/24", "auto");
    const Pod pod("pod");

    EXPECT_EQ(node.cni("ADD", pod, {{"bpffs", bpffs}}).err, "");
    EXPECT_EQ(node.cni("DEL", pod, {{"bpffs", bpffs}}).err, "");
  }
}

class FirstVersions : public testing::TestWithParam<json> {};

TEST_P(FirstVersions, HaveOneAddressPerFamilyAndNoInterfaces) {
  const Node node("node", "10.200.0.0/24", "ebpf");
  const Pod pod("pod");
  const json expected = GetParam().is_null() ? json("0.1.0") : GetParam();

  const auto answer = node.cni("ADD", pod, {{"cniVersion", GetParam()}});

  ASSERT_TRUE(ok(answer));
  EXPECT_EQ(answer.json["cniVersion"], expected);
  EXPECT_EQ(answer.json["ip4"], json({{"ip", "10.200.0.2/24"},
                                      {"gateway", "10.200.0.1"},
                                      {"routes", {{{"dst", "0.0.0.0/0"}, {"gw", "10.200.0.1"}}}}}));
  EXPECT_FALSE(answer.json.contains("interfaces"));
  EXPECT_FALSE(answer.json.contains("ips"));
  EXPECT_TRUE(ok(node.cni("DEL", pod, {{"cniVersion", GetParam()}})));
}

INSTANTIATE_TEST_SUITE_P(Verbs, FirstVersions, testing::Values(json(), "0.1.0", "0.2.0"),
                         [](const auto& tested) {
                           return tested.param.is_null()    ? "missing"
                                  : tested.param == "0.1.0" ? "v0_1_0"
                                                            : "v0_2_0";
                         });

INSTANTIATE_TEST_SUITE_P(All, Verbs, testing::Values("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"),
                         [](const auto& tested) {
                           std::string name = "v" + tested.param;
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

// A runtime would call the node NotReady, and the cluster evict its pods.
TEST(Status, OfAFullSubnetSucceedsAndSaysSoWhenAsked) {
  const Node node("node", "10.200.0.0/30", "ebpf");
  const Pod pod = node.add_pod("pod");
  ASSERT_TRUE(failed(node.cni("ADD", Pod("next")), 11, "1 of 1"));

  const auto quiet = node.cni("STATUS", pod);
  const auto talking = node.cni("STATUS", pod, {{"logLevel", "info"}});

  EXPECT_TRUE(ok(quiet));
  EXPECT_EQ(quiet.err, "");
  EXPECT_TRUE(ok(talking));
  EXPECT_THAT(talking.err, testing::HasSubstr("no address is free"));
}

TEST(Status, SucceedsWhileAnotherProcessLoadsThePrograms) {
  const Node node("node", "10.200.0.0/24", "ebpf");
  must(ensure_directory(node.run_dir()));
  const auto lock = must(FileLock::acquire(node.run_dir() / kDataplaneLock, kLoadTimeout));

  EXPECT_TRUE(ok(node.cni("STATUS", Pod("pod"))));
}

TEST(Status, SaysWhyWantedEbpfDoesNotLoad) {
  const Node node("node", "10.200.0.0/24", "ebpf");

  const auto answer = node.call(
      {.env = {"CNI_COMMAND=STATUS"}, .input = node.conf({{"bpffs", "/run/no-bpffs"}}).dump()});

  EXPECT_TRUE(failed(answer, 50, "/run/no-bpffs"));
}

}  // namespace
}  // namespace kubecni::test
