#include "control/install/conf_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Versions = std::vector<std::string>;

const Versions kOurs{"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};
const Versions kDebians{"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0"};

const DaemonOptions kDefaults;

ChainLink link(const std::string& type, const Versions& versions) {
  return {.conf = {{"type", type}}, .versions = versions};
}

json list_of(const DaemonOptions& options, const ChainPlan& chain) {
  return json::parse(make_conf_list(options, chain));
}

TEST(ConfList, OfDefaultsNamesThePluginAlone) {
  const json list = list_of(kDefaults, plan_chain(kOurs, {}));

  EXPECT_EQ(list, json::parse(R"({"name": "k8s-pod-network", "cniVersion": "1.0.0",
    "cniVersions": ["1.0.0", "1.1.0"],
    "plugins": [{"type": "kube-cni", "confDir": "", "capabilities": {"bandwidth": true, "portMappings": true}}]})"));
}

TEST(ConfList, HasWhatTheDaemonWasToldAndThePluginHasToKnow) {
  DaemonOptions options;
  options.dataplane = "bridge";
  options.state_dir = "/srv/state";
  options.run_dir = "/srv/run";
  options.bpffs = "/srv/bpf";
  options.bridge = "br7";
  options.mode = "ptp";
  options.cni.conf_dir = "/srv/net.d";
  options.cni.plugin = {{"mtu", 1400}};

  EXPECT_EQ(plugin_entry(options), json::parse(R"({"type": "kube-cni", "dataplane": "bridge",
    "stateDir": "/srv/state", "runDir": "/srv/run", "bpffs": "/srv/bpf", "bridge": "br7",
    "mode": "ptp", "confDir": "/srv/net.d", "mtu": 1400})"));
}

TEST(ConfList, LeavesOutWhatIsThePluginsDefault) {
  DaemonOptions options;
  options.cni.conf_dir = "/etc/cni/net.d";

  EXPECT_EQ(plugin_entry(options), json::parse(R"({"type": "kube-cni"})"));
}

TEST(ConfList, KeepsTheFolderThatTheRuntimeSeesWhereItIsAnotherOne) {
  DaemonOptions options;
  options.cni.conf_dir = "/host/etc/cni/net.d";
  options.cni.plugin = {{"confDir", "/etc/cni/net.d"}};

  EXPECT_EQ(plugin_entry(options)["confDir"], "/etc/cni/net.d");
}

TEST(ConfList, IsOfTheVersionThatAPartnerFromBefore110Speaks) {
  const json list = list_of(kDefaults, plan_chain(kOurs, {link("portmap", kDebians)}));

  EXPECT_EQ(list["cniVersion"], "1.0.0");
  EXPECT_FALSE(list.contains("cniVersions"));
  EXPECT_EQ(list["plugins"][1], json({{"type", "portmap"}}));
}

TEST(ConfList, IsOf040WithAPartnerThatSpeaksNothingLater) {
  const json list = list_of(kDefaults, plan_chain(kOurs, {link("old", {"0.3.1", "0.4.0"})}));

  EXPECT_EQ(list["cniVersion"], "0.4.0");
  EXPECT_FALSE(list.contains("cniVersions"));
}

TEST(ConfList, IsOf110AloneWhereAPartnerSpeaksNothingElse) {
  const json list = list_of(kDefaults, plan_chain(kOurs, {link("new", {"1.1.0", "1.2.0"})}));

  EXPECT_EQ(list["cniVersion"], "1.1.0");
  EXPECT_FALSE(list.contains("cniVersions"));
}

TEST(ConfList, GivesKubeCniTheLimitsWhoeverMakesThem) {
  ChainLink bandwidth = link("bandwidth", kOurs);
  bandwidth.conf["capabilities"] = {{"bandwidth", true}};

  EXPECT_EQ(list_of(kDefaults, plan_chain(kOurs, {bandwidth}))["plugins"][0]["capabilities"],
            json({{"bandwidth", true}, {"portMappings", true}}));
  EXPECT_EQ(list_of(kDefaults, plan_chain(kOurs, {}))["plugins"][0]["capabilities"],
            json({{"bandwidth", true}, {"portMappings", true}}));
}

TEST(ConfList, LeavesHostPortsToPortmapWhereItIsInTheChain) {
  ChainLink portmap = link("portmap", kDebians);
  const auto capabilities = [&] {
    return list_of(kDefaults, plan_chain(kOurs, {portmap}))["plugins"][0]["capabilities"];
  };

  EXPECT_EQ(capabilities()["portMappings"], true) << "nobody tells it the ports";
  portmap.conf["capabilities"] = {{"portMappings", true}};
  EXPECT_EQ(capabilities(), json({{"bandwidth", true}}));
}

TEST(ConfList, AddsToTheCapabilitiesThatTheOperatorGave) {
  ChainLink bandwidth = link("bandwidth", kOurs);
  bandwidth.conf["capabilities"] = {{"bandwidth", true}};
  DaemonOptions options;
  options.cni.plugin = {{"capabilities", {{"mac", true}}}};

  EXPECT_EQ(list_of(options, plan_chain(kOurs, {bandwidth}))["plugins"][0]["capabilities"],
            json({{"bandwidth", true}, {"mac", true}, {"portMappings", true}}));
  options.cni.plugin = {{"capabilities", {{"portMappings", false}}}};
  EXPECT_EQ(list_of(options, plan_chain(kOurs, {}))["plugins"][0]["capabilities"],
            json({{"bandwidth", true}, {"portMappings", false}}));
}

TEST(ConfList, DoesNotChangeWhileNothingElseDoes) {
  const auto chain = plan_chain(kOurs, {link("portmap", kDebians)});

  EXPECT_EQ(make_conf_list(kDefaults, chain), make_conf_list(kDefaults, chain));
  EXPECT_EQ(make_conf_list(kDefaults, chain).back(), '\n');
}

TEST(ChainPlan, LeavesOutWhoCannotBeAskedAndSaysWhy) {
  const ChainLink absent{.conf = {{"type", "portmap"}},
                         .versions = failure(ENOENT, "/opt/cni/bin/portmap is not there")};

  const auto plan = plan_chain(kOurs, {absent, link("tuning", kDebians)});

  EXPECT_THAT(plan.plugins, ElementsAre(json({{"type", "tuning"}})));
  ASSERT_THAT(plan.left_out, SizeIs(1));
  EXPECT_EQ(plan.left_out[0].type, "portmap");
  EXPECT_EQ(plan.left_out[0].reason, "/opt/cni/bin/portmap is not there");
}

TEST(ChainPlan, LeavesOutTheLaterOneOfTwoThatHaveNoVersionInCommon) {
  const auto plan = plan_chain(kOurs, {link("old", {"0.4.0"}), link("new", {"1.0.0"})});

  EXPECT_THAT(plan.versions, ElementsAre("0.4.0"));
  ASSERT_THAT(plan.left_out, SizeIs(1));
  EXPECT_EQ(plan.left_out[0].type, "new");
  EXPECT_THAT(plan.left_out[0].reason, HasSubstr("speaks 1.0.0; those before it"));
}

TEST(ChainPlan, HasNoPartnerWithoutResultsAsKubernetesNeedsThem) {
  EXPECT_THAT(plan_chain(kOurs, {link("ancient", {"0.2.0", "0.3.0"})}).plugins, IsEmpty());
}

TEST(ChainPlan, HasNoVersionWhenThePluginItselfSpeaksNone) {
  EXPECT_THAT(plan_chain({"0.2.0", "7.0.0"}, {}).versions, IsEmpty());
}

TEST(PluginEntry, IsRefusedAsThePluginWouldRefuseIt) {
  DaemonOptions options;
  options.cni.conf_dir = "/etc/cni/net.d";
  options.cni.plugin = {{"ipam", {{"subnet", "10.0.0.1/8"}}}};

  const auto checked = check_plugin_entry(options);

  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().what, HasSubstr("ipam.subnet"));
}

}  // namespace
}  // namespace kubecni::test
