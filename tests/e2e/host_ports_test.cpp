// Ports of the node that lead to a pod (runtimeConfig.portMappings), made by ADD alone: who reaches
// them, and what their addresses mean.

#include "base/file.hpp"
#include "host_ports_node.hpp"
#include "support/udp.hpp"

#include <sys/socket.h>

#include <string>
#include <tuple>
#include <vector>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

using Way = std::tuple<const char* /*dataplane*/, int /*family*/>;

class HostPortWays : public testing::TestWithParam<Way>, protected HostPortsOn {
 protected:
  HostPortWays() : HostPortsOn(std::get<0>(GetParam())) {}

  const int family = std::get<1>(GetParam());
  const std::string node_address = family == AF_INET ? kNode4 : kNode6;
};

TEST_P(HostPortWays, LeadFromEverywhereToThePod) {
  const Pod pod = node.add_pod("pod", asking_for({mapping("TCP"), mapping("udp")}));
  const Pod other = node.add_pod("other");

  EXPECT_TRUE(ok(call(outside, pod.netns, node_address))) << "from outside" << table();
  EXPECT_TRUE(ok(call(node.netns, pod.netns, node_address))) << "from the node";
  EXPECT_TRUE(ok(call(other.netns, pod.netns, node_address))) << "from another pod";
  EXPECT_TRUE(ok(call(pod.netns, pod.netns, node_address))) << "from the pod itself";
  if (family == AF_INET) {
    EXPECT_TRUE(ok(call(node.netns, pod.netns, "127.0.0.1"))) << "from localhost";
  }
  for (const NetNs* client :
       std::vector<const NetNs*>{&outside, &node.netns, &other.netns, &pod.netns})
    EXPECT_TRUE(udp_echo({.client = *client,
                          .server = pod.netns,
                          .to = addr(node_address),
                          .port = kHostPort,
                          .server_port = kPodPort}))
        << client->name();
}

TEST_P(HostPortWays, ShowThePodWhoCalls) {
  const Pod pod = node.add_pod("pod", asking_for({mapping("udp")}));
  const Pod other = node.add_pod("other");
  const auto seen_by_pod = [&](const NetNs& client) {
    return must(udp_echo({.client = client,
                          .server = pod.netns,
                          .to = addr(node_address),
                          .port = kHostPort,
                          .server_port = kPodPort}));
  };

  EXPECT_EQ(seen_by_pod(outside), addr(family == AF_INET ? "192.0.2.9" : "2001:db8::9"));
  EXPECT_EQ(seen_by_pod(other.netns), other.address_of(family));
  EXPECT_EQ(seen_by_pod(pod.netns), node.gateway(family));
}

TEST_P(HostPortWays, AreClosedAfterDel) {
  const json wanted = asking_for({mapping("tcp")});
  const Pod pod = node.add_pod("pod", wanted);
  ASSERT_TRUE(ok(call(outside, pod.netns, node_address)));

  ASSERT_TRUE(ok(node.cni("DEL", pod, wanted)));

  EXPECT_THAT(table(), Not(HasSubstr("elements")));
  EXPECT_TRUE(is_closed(outside, pod.netns, node_address));
}

INSTANTIATE_TEST_SUITE_P(By, HostPortWays,
                         testing::Combine(testing::Values("ebpf", "bridge"),
                                          testing::Values(AF_INET, AF_INET6)),
                         [](const auto& tested) {
                           return std::string(std::get<0>(tested.param)) +
                                  (std::get<1>(tested.param) == AF_INET ? "4" : "6");
                         });

class HostPorts : public testing::Test, protected HostPortsOn {
 protected:
  HostPorts() : HostPortsOn("ebpf") {}
};

TEST_F(HostPorts, OfOneAddressAreClosedAtTheOthers) {
  Node::must_run_in(node.netns, {"ip", "addr", "add", "192.0.2.7/24", "dev", "eth0"});
  const Pod pod = node.add_pod("pod", asking_for({mapping("tcp", "192.0.2.7")}));

  EXPECT_TRUE(ok(call(outside, pod.netns, "192.0.2.7")));
  EXPECT_TRUE(is_closed(outside, pod.netns, kNode4));
  EXPECT_TRUE(is_closed(outside, pod.netns, kNode6));
  EXPECT_TRUE(is_closed(node.netns, pod.netns, "127.0.0.1"));
}

TEST_F(HostPorts, OfLocalhostAreClosedToOthers) {
  const Pod pod = node.add_pod("pod", asking_for({mapping("tcp", "127.0.0.1")}));

  EXPECT_TRUE(ok(call(node.netns, pod.netns, "127.0.0.1")));
  EXPECT_TRUE(is_closed(outside, pod.netns, kNode4));
}

TEST_F(HostPorts, OfAnUnspecifiedAddressAreThoseOfItsFamily) {
  const Pod pod = node.add_pod(
      "pod", asking_for({mapping("tcp", "0.0.0.0"), mapping("tcp", "::", kHostPort + 1)}));

  EXPECT_TRUE(ok(call(outside, pod.netns, kNode4)));
  EXPECT_TRUE(is_closed(outside, pod.netns, kNode6));
  EXPECT_TRUE(ok(call(outside, pod.netns, kNode6, kHostPort + 1)));
  EXPECT_FALSE(call(outside, pod.netns, kNode4, kHostPort + 1));
}

TEST_F(HostPorts, OfOneAddressComeBeforeThoseOfAll) {
  const Pod all = node.add_pod("all", asking_for({mapping("tcp")}));
  const Pod one = node.add_pod("one", asking_for({mapping("tcp", kNode4)}));

  EXPECT_TRUE(ok(call(outside, one.netns, kNode4)));
  EXPECT_TRUE(ok(call(outside, all.netns, kNode6)));
}

TEST_F(HostPorts, AtLocalhostOpenNothingElseOfTheNode) {
  const Pod pod = node.add_pod("pod", asking_for({mapping("tcp")}));
  const UdpSocket of_node(node.netns, addr("127.0.0.1"), 7777);
  // A pod whose own 127.0.0.1 is the node's.
  Node::must_run_in(pod.netns,
                    {"sh", "-ec",
                     "ip addr flush dev lo; sysctl -qw net.ipv4.conf.all.route_localnet=1;"
                     "ip route add 127.0.0.1/32 via 10.200.0.1"});
  const UdpSocket client(pod.netns, AF_INET, 40000);

  ASSERT_TRUE(client.send(addr("127.0.0.1"), 7777, "hello"));
  EXPECT_FALSE(of_node.receive(std::chrono::milliseconds(500)));

  node.must_run({"nft", "flush", "chain", "inet", "kube-cni-hostports", "localhost"});
  ASSERT_TRUE(client.send(addr("127.0.0.1"), 7777, "hello"));
  EXPECT_TRUE(of_node.receive()) << "nothing but the table keeps it away";
}

TEST_F(HostPorts, AreLeftToPortmapInAListThatHasIt) {
  const json portmap{{"type", "portmap"}, {"capabilities", {{"portMappings", true}}}};
  const json list{{"name", "pods"},
                  {"cniVersion", "1.0.0"},
                  {"plugins", json::array({{{"type", "kube-cni"}}, portmap})}};
  const auto folder = node.folder() / "net.d";
  must(ensure_directory(folder));
  must(write_file_atomically(folder / "10-pods.conflist", list.dump()));
  json wanted = asking_for({mapping("tcp")});
  wanted["confDir"] = folder;

  (void)node.add_pod("pod", wanted);

  EXPECT_THAT(table(), HasSubstr("No such file"));
}

}  // namespace
}  // namespace kubecni::test
