#include "daemon/options.hpp"

#include "base/file.hpp"
#include "support/cluster.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <strings.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <string>
#include <vector>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::expected<DaemonOptions, int> parse(const std::vector<std::string>& options) {
  std::vector<const char*> argv{"kube-cnid", "--node-name", "n1", "--node-source", "kubernetes"};
  for (const auto& option : options) argv.push_back(option.c_str());
  return parse_options(static_cast<int>(argv.size()), argv.data());
}

/// Neither a usage error nor what it prints may be lost.
void expect_refused(const std::vector<std::string>& options, const std::string& text) {
  testing::internal::CaptureStderr();
  const auto parsed = parse(options);
  const std::string printed = testing::internal::GetCapturedStderr();
  ASSERT_FALSE(parsed) << text;
  EXPECT_NE(parsed.error(), 0);
  EXPECT_THAT(printed, testing::HasSubstr(text));
}

TEST(DaemonOptions, HaveDefaultsForTheNetwork) {
  const auto options = parse({});

  ASSERT_TRUE(options);
  EXPECT_EQ(options->routing, Routing::kAuto);
  EXPECT_EQ(options->tunnel.port, 8472);
  EXPECT_EQ(options->tunnel.vni, 84u);
  EXPECT_EQ(options->tunnel.checksum_offload, "auto");
  EXPECT_EQ(options->probe_port, 8484);
  EXPECT_TRUE(options->masquerade);
  EXPECT_TRUE(options->forward_rules);
  EXPECT_TRUE(options->accept_ra);
  EXPECT_TRUE(options->network_policy);
  EXPECT_EQ(options->policy_denied, "drop");
  EXPECT_FALSE(options->policy_log);
  EXPECT_EQ(options->policy_file, "");
  EXPECT_FALSE(options->clean_up);
}

TEST(DaemonOptions, AreThoseOfTheTable) {
  const char* const argv[] = {"kube-cnid", "--help"};
  testing::internal::CaptureStdout();

  EXPECT_FALSE(parse_options(2, argv));

  const std::string help = testing::internal::GetCapturedStdout();
  for (const Setting& setting : kSettings) {
    if (!is_of_daemon(setting)) continue;
    const auto at = help.find("--" + option_name(setting) + " ");
    ASSERT_NE(at, help.npos) << setting.key << " is no option";
    const std::string line = help.substr(at, help.find('\n', at) - at);
    const std::string shown(setting.fallback);
    EXPECT_THAT(line, testing::HasSubstr(shown.empty() ? "" : "=" + shown));
  }
}

TEST(DaemonOptions, OfTheNetworkAreTaken) {
  const auto options = parse({"--routing",
                              "vxlan",
                              "--vxlan-port",
                              "4789",
                              "--vxlan-vni",
                              "16777215",
                              "--vxlan-checksum-offload",
                              "off",
                              "--masquerade",
                              "off",
                              "--non-masquerade-cidr",
                              "172.16.0.0/12",
                              "--non-masquerade-cidr",
                              "fd00::/8",
                              "--forward-rules",
                              "off",
                              "--accept-ra",
                              "off",
                              "--network-policy",
                              "off",
                              "--policy-denied",
                              "reject",
                              "--policy-log",
                              "on",
                              "--policy-file",
                              "/etc/policies.json",
                              "--probe-port",
                              "0"});

  ASSERT_TRUE(options);
  EXPECT_EQ(options->routing, Routing::kVxlan);
  EXPECT_EQ(options->tunnel.port, 4789);
  EXPECT_EQ(options->tunnel.vni, 16777215u);
  EXPECT_EQ(options->tunnel.checksum_offload, "off");
  EXPECT_EQ(options->probe_port, 0);
  EXPECT_FALSE(options->masquerade);
  EXPECT_FALSE(options->forward_rules);
  EXPECT_FALSE(options->accept_ra);
  EXPECT_FALSE(options->network_policy);
  EXPECT_EQ(options->policy_denied, "reject");
  EXPECT_TRUE(options->policy_log);
  EXPECT_EQ(options->policy_file, "/etc/policies.json");
  EXPECT_THAT(options->non_masquerade_cidrs,
              testing::ElementsAre(net("172.16.0.0/12"), net("fd00::/8")));
}

TEST(DaemonOptions, OfTheClustersNetworksAreTaken) {
  ::setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
  const auto options = parse({"--cluster-cidr", "10.200.0.0/16", "--cluster-cidr", "fd00:10::/48",
                              "--service-cidr", "10.96.0.0/12", "--node-cidr", "192.0.2.0/24"});
  ::unsetenv("KUBERNETES_SERVICE_HOST");

  ASSERT_TRUE(options);
  EXPECT_THAT(options->rules.cluster_cidrs,
              testing::ElementsAre(net("10.200.0.0/16"), net("fd00:10::/48")));
  EXPECT_THAT(options->rules.service_cidrs, testing::ElementsAre(net("10.96.0.0/12")));
  EXPECT_THAT(options->rules.node_cidrs, testing::ElementsAre(net("192.0.2.0/24")));
  EXPECT_EQ(options->rules.service_host, IpAddr::parse("10.96.0.1"));
}

TEST(DaemonOptions, OutOfRangeAreRefusedByName) {
  expect_refused({"--cluster-cidr", "10.200.0.0"}, "10.200.0.0");
  expect_refused({"--node-cidr", "192.0.2.1/24"}, "192.0.2.1/24");
  expect_refused({"--cluster-cidr", "10.0.0.0/8", "--service-cidr", "10.96.0.0/12"},
                 "10.0.0.0/8 overlaps --service-cidr 10.96.0.0/12");
  expect_refused({"--routing", "ospf"}, "--routing");
  expect_refused({"--bgp-as", "0"}, "--bgp-as");
  expect_refused({"--bgp-peer", "router"}, "\"router\" is not an IP address");
  expect_refused({"--bgp-hold-time", "2"}, "--bgp-hold-time");
  expect_refused({"--bgp-keepalive-time", "90"}, "less than --bgp-hold-time 90");
  expect_refused({"--bgp-fallback", "ipip"}, "--bgp-fallback");
  expect_refused({"--bridge", "cni%d"}, "interface name");
  expect_refused({"--vxlan-port", "0"}, "--vxlan-port");
  expect_refused({"--vxlan-port", "65536"}, "--vxlan-port");
  expect_refused({"--vxlan-vni", "16777216"}, "--vxlan-vni");
  expect_refused({"--vxlan-checksum-offload", "maybe"}, "--vxlan-checksum-offload");
  expect_refused({"--masquerade", "sometimes"}, "--masquerade");
  expect_refused({"--non-masquerade-cidr", "10.0.0.1/8"}, "10.0.0.1/8");
}

TEST(DaemonOptions, ServeMetricsToThisMachineUnlessTold) {
  EXPECT_EQ(parse({})->metrics_address, "127.0.0.1:9484");
  for (const char* text : {"[::]:9484", "0.0.0.0:0", "off", ""})
    EXPECT_EQ(parse({"--metrics-address", text})->metrics_address, text);
  expect_refused({"--metrics-address", "localhost:9484"}, "--metrics-address");
  expect_refused({"--metrics-address", "127.0.0.1"}, "--metrics-address");
}

TEST(DaemonOptions, ServeHealthApartFromMetrics) {
  EXPECT_EQ(parse({})->health_address, "127.0.0.1:9485");
  EXPECT_EQ(parse({"--health-address", "off"})->health_address, "off");
  expect_refused({"--health-address", "localhost:9485"}, "--health-address");
}

TEST(DaemonOptions, CleanupNeedsNoNode) {
  const char* const argv[] = {"kube-cnid", "cleanup", "--bridge", "cni7"};

  const auto options = parse_options(4, argv);

  ASSERT_TRUE(options);
  EXPECT_TRUE(options->clean_up);
  EXPECT_EQ(options->bridge, "cni7");
}

TEST(DaemonOptions, WithoutANodesNameTakeTheHosts) {
  const char* const argv[] = {"kube-cnid", "--node-source", "kubernetes"};
  std::array<char, 256> name{};
  ASSERT_EQ(::gethostname(name.data(), name.size() - 1), 0);

  const auto options = parse_options(3, argv);

  ASSERT_TRUE(options);
  EXPECT_EQ(::strcasecmp(options->node_name.c_str(), name.data()), 0) << options->node_name;
  EXPECT_THAT(options->node_name, testing::Not(testing::ContainsRegex("[A-Z]")));
}

TEST(DaemonOptions, WithoutASourceOfNodesAreRefused) {
  const char* const argv[] = {"kube-cnid", "--node-name", "n1"};
  testing::internal::CaptureStderr();

  EXPECT_FALSE(parse_options(3, argv));

  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("--node-source"));
}

class ConfigFile : public testing::Test {
 protected:
  std::expected<DaemonOptions, int> parse(const std::string& content,
                                          const std::vector<std::string>& more = {}) {
    const std::string path = folder_ / "config.json";
    std::ofstream(path) << content;
    std::vector<const char*> argv{"kube-cnid", "--config", path.c_str()};
    for (const auto& option : more) argv.push_back(option.c_str());
    return parse_options(static_cast<int>(argv.size()), argv.data());
  }

  /// What is said of a file that is refused.
  std::string refusal_of(const std::string& content, const std::vector<std::string>& more = {}) {
    testing::internal::CaptureStderr();
    const auto parsed = parse(content, more);
    std::string said = testing::internal::GetCapturedStderr();
    EXPECT_FALSE(parsed) << content;
    EXPECT_THAT(said, HasSubstr((folder_ / "config.json").string()));
    return said;
  }

  TempDir folder_;
};

TEST_F(ConfigFile, HasEveryKindOfOption) {
  const auto options = parse(R"({
    "nodeName": "n1", "nodeSource": "kubernetes", "routing": "vxlan", "vxlanPort": 4789,
    "masquerade": false, "nonMasqueradeCidr": ["172.16.0.0/12", "fd00::/8"],
    "insecureSkipTlsVerify": true, "stateDir": "/srv/state", "cniConfDir": "/etc/cni/net.d", "cniConfName": "05-x.conflist",
    "cniBinDir": "/opt/bin", "pluginBinary": "/opt/kube-cni/kube-cni",
    "cni": {"name": "pods", "mtu": 1400, "podHooks": "tcx", "capabilities": {"mac": true},
            "chain": [{"type": "portmap", "snat": true, "capabilities": {"portMappings": true}}]}
  })");

  ASSERT_TRUE(options);
  EXPECT_EQ(options->node_name, "n1");
  EXPECT_EQ(options->routing, Routing::kVxlan);
  EXPECT_EQ(options->tunnel.port, 4789);
  EXPECT_FALSE(options->masquerade);
  EXPECT_TRUE(options->api.insecure_skip_tls_verify);
  EXPECT_THAT(options->non_masquerade_cidrs, ElementsAre(net("172.16.0.0/12"), net("fd00::/8")));
  EXPECT_EQ(options->state_dir, "/srv/state");
  EXPECT_EQ(options->cni.conf_dir, "/etc/cni/net.d");
  EXPECT_EQ(options->cni.conf_name, "05-x.conflist");
  EXPECT_EQ(options->cni.bin_dir, "/opt/bin");
  EXPECT_EQ(options->cni.plugin_binary, "/opt/kube-cni/kube-cni");
  EXPECT_EQ(options->cni.network, "pods");
  EXPECT_EQ(options->cni.plugin,
            json({{"mtu", 1400}, {"podHooks", "tcx"}, {"capabilities", {{"mac", true}}}}));
  ASSERT_EQ(options->cni.chain.size(), 1u);
  EXPECT_EQ(options->cni.chain[0]["snat"], true);
}

TEST_F(ConfigFile, CountsLessThanTheCommandLine) {
  const auto options = parse(R"({"nodeName": "file", "nodeSource": "kubernetes", "vxlanPort": 4789,
                "nonMasqueradeCidr": ["172.16.0.0/12"]})",
                             {"--node-name", "line", "--non-masquerade-cidr", "10.0.0.0/8"});

  ASSERT_TRUE(options);
  EXPECT_EQ(options->node_name, "line");
  EXPECT_EQ(options->tunnel.port, 4789);
  EXPECT_THAT(options->non_masquerade_cidrs, ElementsAre(net("10.0.0.0/8")));
}

TEST_F(ConfigFile, IsRefusedWithEveryMistakeInIt) {
  const std::string said = refusal_of(R"({"routnig": "vxlan", "vxlanPort": "8472",
    "masquerade": "on", "logLevel": 3, "vxlanVni": 16777216, "routing": "ospf",
    "nonMasqueradeCidr": "10.0.0.0/8", "config": "x", "help": true,
    "cniConfDir": "/etc/cni/net.d",
    "cni": {"mtU": 1400, "bridge": "br0", "name": 7, "dns": [],
            "chain": [{"type": "../portmap"}, {"type": "kube-cni"}, 5,
                      {"type": "tuning", "capabilities": {"mac": 1}}]}})");

  EXPECT_THAT(said, HasSubstr(R"("routnig" is not a setting (did you mean "routing"?))"));
  EXPECT_THAT(said, HasSubstr(R"("vxlanPort": "8472" is not a whole number)"));
  EXPECT_THAT(said, HasSubstr(R"("masquerade": "on" is not true or false)"));
  EXPECT_THAT(said, HasSubstr(R"("logLevel": 3 is not a text)"));
  EXPECT_THAT(said, HasSubstr(R"("vxlanVni": 16777216 is not allowed; it may be: )"));
  EXPECT_THAT(said,
              HasSubstr(R"("routing": "ospf" is not allowed; it may be: auto|direct|vxlan|bgp)"));
  EXPECT_THAT(said, HasSubstr(R"("nonMasqueradeCidr": "10.0.0.0/8" is not a list)"));
  EXPECT_THAT(said, HasSubstr(R"("config" is not a setting)"));
  EXPECT_THAT(said, HasSubstr(R"("help" is not a setting)"));
  EXPECT_THAT(said, HasSubstr(R"("cni.mtU" is not a setting (did you mean "mtu"?))"));
  EXPECT_THAT(said, HasSubstr(R"("cni.bridge": set "bridge" outside of "cni")"));
  EXPECT_THAT(said, HasSubstr(R"("cni.name": 7 is not a text)"));
  EXPECT_THAT(said, HasSubstr(R"("cni.dns": an array is not an object)"));
  EXPECT_THAT(said, HasSubstr(R"("cni.chain[0].type": "../portmap" is not the name of a plugin)"));
  EXPECT_THAT(said, HasSubstr(R"("cni.chain[1]": kube-cni is already in the list)"));
  EXPECT_THAT(said, HasSubstr(R"("cni.chain[2]": 5 is not an object)"));
  EXPECT_THAT(said, HasSubstr(R"("cni.chain[3].capabilities.mac": 1 is not true or false)"));
}

TEST_F(ConfigFile, IsRefusedForValuesThatThePluginWouldRefuse) {
  EXPECT_THAT(refusal_of(R"({"cniConfDir": "/x", "cni": {"mtu": 12}})"),
              HasSubstr(R"("mtu": 12 is not an MTU)"));
  EXPECT_THAT(refusal_of(R"({"cniConfDir": "/x", "cni": {"name": "a/b"}})"),
              HasSubstr(R"("name")"));
  EXPECT_THAT(refusal_of(R"({"cniConfDir": "relative"})"), HasSubstr("is not an absolute path"));
}

TEST_F(ConfigFile, IsRefusedWhereItsListWouldNeverBeWritten) {
  EXPECT_THAT(refusal_of(R"({"cni": {"mtu": 1400}})"), HasSubstr("\"cniConfDir\""));
}

TEST_F(ConfigFile, ThatIsNoSettingsSaysWhat) {
  EXPECT_THAT(refusal_of("{\"routing\": \"vxlan\",\n nodeName}"), HasSubstr("line 2, column 3"));
  EXPECT_THAT(refusal_of(""), HasSubstr("is empty"));
  EXPECT_THAT(refusal_of(" \n"), HasSubstr("is empty"));
  EXPECT_THAT(refusal_of("[]"), HasSubstr("an array is not a JSON object"));
  EXPECT_THAT(refusal_of(R"({"nodeName": "a", "nodeName": "b"})"),
              HasSubstr(R"("nodeName" is given twice)"));
  EXPECT_THAT(refusal_of(R"({"cniConfDir": "/x", "cni": {"mtu": 1400, "mtu": 1500}})"),
              HasSubstr(R"("mtu" is given twice)"));
  EXPECT_THAT(refusal_of(R"({"vxlanPort": null})"), HasSubstr(R"("vxlanPort": null)"));
  EXPECT_THAT(refusal_of(R"({"vxlanPort": 1e3})"), HasSubstr(R"("vxlanPort": 1000.0)"));
}

TEST_F(ConfigFile, OfTwoObjectsMayHaveTheSameKeys) {
  EXPECT_TRUE(parse(R"({"nodeName": "n1", "nodeSource": "kubernetes", "cniConfDir": "/x",
    "cni": {"chain": [{"type": "a"}, {"type": "b"}]}})"));
}

TEST_F(ConfigFile, ThatIsNotThereIsNamed) {
  const std::string path = folder_ / "absent.json";
  const char* const argv[] = {"kube-cnid", "--config", path.c_str()};
  testing::internal::CaptureStderr();

  EXPECT_FALSE(parse_options(3, argv));

  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("open " + path));
}

TEST_F(ConfigFile, OfTheReferenceIsTaken) {
  const std::string page = read_file(KUBECNI_SOURCE_DIR "/docs/reference.md").value();
  const std::string begin = "```json\n{\n  \"nodeSource\"";
  const auto at = page.find(begin);
  ASSERT_NE(at, page.npos);
  const auto from = page.find('{', at);

  const auto options = parse(page.substr(from, page.find("```", from) - from));

  ASSERT_TRUE(options);
  EXPECT_EQ(options->cni.chain.size(), 1u);
}

TEST_F(ConfigFile, HasNoHintFarFromEveryKey) {
  EXPECT_THAT(refusal_of(R"({"xyz": 1})"), Not(HasSubstr("did you mean")));
}

}  // namespace
}  // namespace kubecni::test
