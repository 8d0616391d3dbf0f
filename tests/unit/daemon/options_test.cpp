#include "daemon/options.hpp"

#include "support/cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <strings.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

namespace kubecni::test {
namespace {

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
  expect_refused({"--routing", "bgp"}, "--routing");
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

}  // namespace
}  // namespace kubecni::test
