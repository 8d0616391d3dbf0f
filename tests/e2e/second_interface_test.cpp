// A second interface in a pod, as Multus makes it: another ADD for the same container. The first
// interface keeps its routes, unless the network's configuration takes the default route.

#include "expect.hpp"
#include "net/route.hpp"
#include "support/traffic.hpp"

#include <sys/socket.h>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const char* const kSubnets = R"([[{"subnet": "10.200.0.0/24"}], [{"subnet": "fd00:1::/64"}]])";
const char* const kOtherSubnets = R"([[{"subnet": "10.201.0.0/24"}], [{"subnet": "fd00:2::/64"}]])";

/// With what the runtime remembers of ADD, as CHECK needs it.
json with_result(json conf, const CniAnswer& added) {
  conf["cniVersion"] = "1.0.0";
  conf["prevResult"] = added.json;
  conf["prevResult"]["cniVersion"] = "1.0.0";
  return conf;
}

class SecondInterface : public testing::TestWithParam<std::string> {
 protected:
  SecondInterface() {
    Node::must_run_in(node.netns, {"ip", "addr", "add", "198.51.100.1/32", "dev", "lo"});
    Node::must_run_in(node.netns, {"ip", "addr", "add", "2001:db8::1/128", "dev", "lo"});
  }

  CniAnswer add(const char* ifname, const json& conf) { return call("ADD", ifname, conf); }
  CniAnswer call(const char* verb, const char* ifname, const json& conf) {
    pod.ifname = ifname;
    return node.cni(verb, pod, conf);
  }

  /// The interface that the pod's packets to `to` take, or the kernel's refusal.
  std::string way_to(const char* to) {
    try {
      std::istringstream words(Node::must_run_in(pod.netns, {"ip", "route", "get", to}));
      for (std::string word; words >> word;)
        if (word == "dev" && words >> word) return word;
    } catch (const std::exception& error) {
      return error.what();
    }
    return "";
  }

  void expect_default_by(const std::string& ifname) {
    EXPECT_EQ(way_to("198.51.100.1"), ifname);
    EXPECT_EQ(way_to("2001:db8::1"), ifname);
    EXPECT_TRUE(ok(ping(pod.netns, IpAddr::parse("198.51.100.1").value())));
    EXPECT_TRUE(ok(ping(pod.netns, IpAddr::parse("2001:db8::1").value())));
  }

  Node node{"node", "10.200.0.0/24", GetParam()};
  Pod pod{"pod"};
  const json first{{"subnet", nullptr}, {"ipam", {{"ranges", json::parse(kSubnets)}}}};
  const json second{{"subnet", nullptr},
                    {"name", "second"},
                    {"bridge", "cni1"},
                    {"logLevel", "info"},
                    {"ipam", {{"ranges", json::parse(kOtherSubnets)}}}};
};

TEST_P(SecondInterface, LeavesTheDefaultRoutesToTheFirst) {
  const auto eth0 = add("eth0", first);
  ASSERT_TRUE(ok(eth0));

  const auto net1 = add("net1", second);

  ASSERT_TRUE(ok(net1));
  EXPECT_THAT(net1.json.value("routes", json::array()), IsEmpty()) << "only what was made";
  EXPECT_THAT(net1.err, HasSubstr("kept eth0's, made no default route via 10.201.0.1"));
  expect_default_by("eth0");
  EXPECT_TRUE(ok(call("CHECK", "eth0", with_result(first, eth0))));
  EXPECT_TRUE(ok(call("CHECK", "net1", with_result(second, net1))));

  ASSERT_TRUE(ok(call("DEL", "net1", second)));
  expect_default_by("eth0");
}

TEST_P(SecondInterface, OfTheSameNetworkDoesSoToo) {
  ASSERT_TRUE(ok(add("eth0", first)));
  ASSERT_TRUE(ok(add("net1", first)));
  expect_default_by("eth0");

  ASSERT_TRUE(ok(call("DEL", "net1", first)));
  expect_default_by("eth0");
}

TEST_P(SecondInterface, TakesTheDefaultRoutesOnRequestAndGivesThemBack) {
  const auto eth0 = add("eth0", first);
  ASSERT_TRUE(ok(eth0));
  json taking = second;
  taking["isDefaultGateway"] = true;

  const auto net1 = add("net1", taking);

  ASSERT_TRUE(ok(net1));
  EXPECT_EQ(net1.json["routes"].size(), 2U);
  expect_default_by("net1");
  EXPECT_TRUE(ok(call("CHECK", "eth0", with_result(first, eth0)))) << "its routes are there";
  EXPECT_TRUE(ok(call("CHECK", "net1", with_result(taking, net1))));

  ASSERT_TRUE(ok(call("DEL", "net1", taking)));
  expect_default_by("eth0");
}

TEST_P(SecondInterface, ThatHasThemKeepsThemWhenTheFirstGoes) {
  ASSERT_TRUE(ok(add("eth0", first)));
  json taking = second;
  taking["isDefaultGateway"] = true;
  ASSERT_TRUE(ok(add("net1", taking)));

  ASSERT_TRUE(ok(call("DEL", "eth0", first)));

  expect_default_by("net1");
}

TEST_P(SecondInterface, GetsThemWhereTheFirstWantsNone) {
  json none = first;
  none["isDefaultGateway"] = false;
  const auto eth0 = add("eth0", none);
  ASSERT_TRUE(ok(eth0));
  EXPECT_THAT(eth0.json.value("routes", json::array()), IsEmpty());

  ASSERT_TRUE(ok(add("net1", second)));

  expect_default_by("net1");
}

TEST_P(SecondInterface, KeepsWhatAnotherPluginMade) {
  for (const char* command : {"link add ext0 type bridge", "addr add 192.0.2.2/24 dev ext0",
                              "link set ext0 up", "route add default via 192.0.2.1 metric 700"}) {
    std::istringstream words(std::string("ip ") + command);
    Node::must_run_in(pod.netns, {std::istream_iterator<std::string>(words), {}});
  }

  const auto added = add("net1", second);

  ASSERT_TRUE(ok(added));
  EXPECT_EQ(way_to("198.51.100.1"), "ext0");
  EXPECT_EQ(way_to("2001:db8::1"), "net1") << "of IPv6 there was none";
  EXPECT_THAT(added.json["routes"], ElementsAre(json{{"dst", "::/0"}, {"gw", "fd00:2::1"}}));
}

TEST_P(SecondInterface, KeepsOtherRoutesToo) {
  const json routes{{{"dst", "203.0.113.0/24"}}};
  const auto by_static = [&](const json& conf, const char* address) {
    json changed = conf;
    changed["ipam"] = {
        {"type", "static"}, {"addresses", {{{"address", address}}}}, {"routes", routes}};
    return changed;
  };
  ASSERT_TRUE(ok(add("eth0", by_static(first, "10.200.0.5/24"))));
  json taking = by_static(second, "10.201.0.5/24");
  taking["isDefaultGateway"] = true;

  const auto net1 = add("net1", taking);

  ASSERT_TRUE(ok(net1));
  EXPECT_EQ(way_to("203.0.113.7"), "eth0") << "isDefaultGateway is about default routes";
  EXPECT_EQ(way_to("198.51.100.1"), "net1");
  EXPECT_THAT(net1.json["routes"].dump(), Not(HasSubstr("203.0.113.0/24")));
}

TEST_P(SecondInterface, CannotTakeTheDefaultRouteWithoutAGateway) {
  json without{{"subnet", nullptr},
               {"isGateway", false},
               {"isDefaultGateway", true},
               {"ipam", {{"type", "static"}, {"addresses", {{{"address", "10.201.0.5/24"}}}}}}};

  EXPECT_TRUE(failed(add("eth0", without), 7, "\\\"isDefaultGateway\\\""));
}

INSTANTIATE_TEST_SUITE_P(Dataplanes, SecondInterface, testing::Values("ebpf", "bridge"),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace kubecni::test
