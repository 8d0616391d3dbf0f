// A node whose own Node object is deleted, recreated, or unusable.

#include "base/file.hpp"
#include "cluster.hpp"
#include "support/traffic.hpp"

#include <csignal>

namespace kubecni::test {
namespace {

using nlohmann::json;

class OwnNodeObject : public testing::Test {
 protected:
  static json node_a(const std::string& cidr = "10.200.1.0/24") {
    return make_node("node-a", "192.0.2.1", cidr);
  }
  static json node_b() { return make_node("node-b", "192.0.2.2", "10.200.2.0/24"); }

  [[nodiscard]] json status() const {
    return json::parse(must(read_file(cluster.a.run_dir() / "status.json")));
  }
  /// Waits until node a's daemon reports `phrase`.
  bool says(const std::string& phrase) {
    return eventually([&] { return cluster.daemon_a->err().find(phrase) != std::string::npos; });
  }
  bool has_pod_cidr(const std::string& cidr) {
    return eventually([&] { return status()["podCIDRs"] == json::array({cidr}); });
  }
  Pod add_pod(const std::string& name) { return cluster.a.add_pod(name, {{"subnet", nullptr}}); }
  [[nodiscard]] bool is_on_bridge(const std::string& address) const {
    return cluster.a.must_run({"ip", "addr", "show", "dev", "cni0"}).find(address) !=
           std::string::npos;
  }

  Cluster cluster{"ebpf"};
};

TEST_F(OwnNodeObject, DeletedLeavesTheNodeAsItWasAndItsPodsGoOn) {
  cluster.write_nodes({node_b()});
  ASSERT_TRUE(says("the Node object node-a is gone")) << cluster.daemon_a->err();

  EXPECT_TRUE(has_pod_cidr("10.200.1.0/24"));
  EXPECT_TRUE(knows_cidr(cluster.a, "10.200.2.0/24"));
  const Pod pod = add_pod("meanwhile");
  EXPECT_TRUE(ok(ping(pod.netns, cluster.pod_a->address)));

  cluster.write_nodes({node_a(), node_b()});
  EXPECT_TRUE(eventually([&] { return knows_cidr(cluster.b, "10.200.1.0/24"); }));
  EXPECT_TRUE(ok(ping(pod.netns, cluster.pod_b->address)));
}

TEST_F(OwnNodeObject, DeletedIsRememberedOverARestart) {
  cluster.write_nodes({node_b()});
  ASSERT_TRUE(says("the Node object node-a is gone")) << cluster.daemon_a->err();
  cluster.daemon_a->signal(SIGKILL);
  cluster.daemon_a->wait();

  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));

  ASSERT_TRUE(says("the Node object node-a is gone")) << cluster.daemon_a->err();
  EXPECT_TRUE(has_pod_cidr("10.200.1.0/24"));
  EXPECT_TRUE(has_map_entry(cluster.a, "10.200.1.0/24"));
}

TEST_F(OwnNodeObject, WithAnotherPodCidrGivesNewPodsAddressesOfItAndNamesTheOldOnes) {
  cluster.write_nodes({node_a("10.200.9.0/24"), node_b()});
  ASSERT_TRUE(has_pod_cidr("10.200.9.0/24")) << cluster.daemon_a->err();
  ASSERT_TRUE(eventually([&] { return knows_cidr(cluster.b, "10.200.9.0/24"); }));

  EXPECT_TRUE(says("10.200.1.2 is of no PodCIDR of this node")) << cluster.daemon_a->err();
  const Pod pod = add_pod("new");
  EXPECT_EQ(pod.address.str(), "10.200.9.2");
  EXPECT_TRUE(ok(ping(pod.netns, cluster.pod_b->address)));
  EXPECT_TRUE(ok(ping(pod.netns, cluster.pod_a->address)));
}

TEST_F(OwnNodeObject, WithAnotherPodCidrGivesTheOldOneUpToItsNewNode) {
  const json node_c = make_node("node-c", "192.0.2.3", "10.200.1.0/24");
  cluster.write_nodes({node_a("10.200.9.0/24"), node_b(), node_c});

  ASSERT_TRUE(says("but of node node-c")) << cluster.daemon_a->err();
  EXPECT_TRUE(eventually([&] { return !status()["warnings"].empty(); }));
  EXPECT_TRUE(is_on_bridge("10.200.1.1/24"));

  ASSERT_TRUE(ok(cluster.a.cni("DEL", *cluster.pod_a)));
  EXPECT_TRUE(eventually([&] { return knows_cidr(cluster.a, "10.200.1.0/24"); }))
      << cluster.daemon_a->err();
  EXPECT_FALSE(is_on_bridge("10.200.1.1/24"));
  EXPECT_TRUE(is_on_bridge("10.200.9.1/24"));
  EXPECT_THAT(cluster.daemon_a->err(), testing::Not(testing::HasSubstr("level=error")));
}

TEST_F(OwnNodeObject, DeletedLosesThePodCidrThatAnotherNodeGets) {
  const json node_c = make_node("node-c", "192.0.2.3", "10.200.1.0/24");
  cluster.write_nodes({node_b(), node_c});

  EXPECT_TRUE(says("PodCIDR 10.200.1.0/24 is already that of node node-c"))
      << cluster.daemon_a->err();
  EXPECT_TRUE(eventually([&] { return status()["podCIDRs"].empty(); }));
}

TEST_F(OwnNodeObject, ListedAgainKeepsItsPodCidrFromAnotherThatClaimsIt) {
  cluster.write_nodes({node_b()});
  ASSERT_TRUE(says("the Node object node-a is gone")) << cluster.daemon_a->err();

  cluster.write_nodes(
      {node_a(), node_b(), make_node("a-first-by-name", "192.0.2.3", "10.200.1.0/24")});

  EXPECT_TRUE(says("PodCIDR 10.200.1.0/24 is already that of node node-a"))
      << cluster.daemon_a->err();
  EXPECT_TRUE(has_pod_cidr("10.200.1.0/24"));
}

/// Node objects that claim what other nodes have.
class OtherNodeObject : public OwnNodeObject {
 protected:
  /// Whether pods of a and b still reach each other after node a has reported `phrase`.
  testing::AssertionResult goes_on_after(const std::string& phrase) {
    if (!says(phrase)) return testing::AssertionFailure() << cluster.daemon_a->err();
    if (!has_map_entry(cluster.a, "10.200.2.0/24") || !knows_cidr(cluster.a, "10.200.2.0/24"))
      return testing::AssertionFailure() << "10.200.2.0/24 is gone";
    return ok(ping(cluster.pod_a->netns, cluster.pod_b->address));
  }
};

TEST_F(OtherNodeObject, WithAnAddressInAPodCidrDoesNotTakeItsRouteAway) {
  cluster.write_nodes({node_a(), node_b(), make_node("node-c", "10.200.2.77", "10.200.3.0/24"),
                       make_node("node-d", "10.200.2.78", "10.200.4.0/24")});

  EXPECT_TRUE(goes_on_after("InternalIP 10.200.2.78 lies in PodCIDR 10.200.2.0/24 of node node-b"));

  // A restarted daemon knows who was first.
  cluster.daemon_a->signal(SIGTERM);
  cluster.daemon_a->wait();
  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));
  EXPECT_TRUE(goes_on_after("InternalIP 10.200.2.78 lies in PodCIDR 10.200.2.0/24 of node node-b"));
}

TEST_F(OtherNodeObject, ThatListsItsOwnBridgeKeepsItsRoute) {
  const std::vector<std::string> addresses{"10.200.2.1", "192.0.2.2"};
  cluster.write_nodes(
      {node_a(), make_node("node-b", addresses, std::vector<std::string>{"10.200.2.0/24"})});

  EXPECT_TRUE(goes_on_after("InternalIP 10.200.2.1 lies in the node's own PodCIDR"));
}

TEST_F(OtherNodeObject, WithAPodCidrThatCannotBeRightGetsNoRoute) {
  cluster.write_nodes({node_a(), node_b(), make_node("node-c", "192.0.2.3", "8.0.0.0/7")});

  EXPECT_TRUE(goes_on_after("PodCIDR 8.0.0.0/7 is larger than a /8"));
  EXPECT_FALSE(knows_cidr(cluster.a, "8.0.0.0/7"));
}

TEST_F(OtherNodeObject, WithAPodCidrOfTheInternetIsWarnedAboutByName) {
  cluster.write_nodes({node_a(), node_b(), make_node("node-c", "192.0.2.3", "9.9.9.0/24")});

  EXPECT_TRUE(goes_on_after("PodCIDR 9.9.9.0/24 has public addresses"));
  EXPECT_TRUE(eventually([&] {
    return status()["warnings"][0]["name"] == "node-c" && knows_cidr(cluster.a, "9.9.9.0/24");
  }));
}

TEST_F(OtherNodeObject, WithTheAddressOfAnotherDoesNotTakeItAway) {
  const std::vector<std::string> addresses{"192.0.2.2", "192.0.2.3"};
  cluster.write_nodes(
      {make_node("a-first-by-name", addresses, std::vector<std::string>{"10.200.3.0/24"}), node_a(),
       node_b()});

  EXPECT_TRUE(goes_on_after("InternalIP 192.0.2.2 is already that of node node-b"));
}

/// A node that starts for the first time.
class FirstStart : public testing::Test {
 protected:
  FirstStart() {
    wire.connect(node, "192.0.2.1/24");
    write({});
    daemon.emplace(node.start_daemon({"--node-source", "file:" + file().string()}));
  }
  [[nodiscard]] std::filesystem::path file() const { return node.folder() / "nodes.json"; }
  void write(const std::vector<json>& nodes) const {
    must(write_file_atomically(file(), make_node_list(nodes).dump()));
  }
  bool says(const std::string& phrase) {
    return eventually([&] { return daemon->err().find(phrase) != std::string::npos; });
  }
  bool has_learned() {
    return eventually([&] { return read_file(node.state_dir() / "node.json").has_value(); });
  }

  Wire wire{"wire"};
  Node node{"node-a", std::vector<std::string>{}, "ebpf"};
  std::optional<Process> daemon;
};

TEST_F(FirstStart, WithoutAPodCidrTakesNoPodsUntilItHasOne) {
  json unassigned = make_node("node-a", "192.0.2.1", "10.200.1.0/24");
  unassigned["spec"].erase("podCIDR");
  unassigned["spec"].erase("podCIDRs");
  write({unassigned});
  ASSERT_TRUE(says("spec.podCIDR is not assigned yet")) << daemon->err();
  Pod early("early");
  EXPECT_TRUE(failed(node.cni("ADD", early), 11, "has not learned a PodCIDR yet"));

  write({make_node("node-a", "192.0.2.1", "10.200.1.0/24")});

  ASSERT_TRUE(has_learned()) << daemon->err();
  EXPECT_EQ(node.add_pod("pod").address.str(), "10.200.1.2");
}

TEST_F(FirstStart, WithoutAnInternalIpTakesNoPodsUntilItHasOne) {
  json homeless = make_node("node-a", "192.0.2.1", "10.200.1.0/24");
  homeless["status"]["addresses"] = json::array();
  write({homeless});
  ASSERT_TRUE(says("status.addresses has no InternalIP yet")) << daemon->err();

  write({make_node("node-a", "192.0.2.1", "10.200.1.0/24")});

  ASSERT_TRUE(has_learned()) << daemon->err();
  EXPECT_EQ(node.add_pod("pod").address.str(), "10.200.1.2");
}

TEST_F(FirstStart, WithAnExternalIpOnlySaysWhatToDo) {
  json outside = make_node("node-a", "192.0.2.1", "10.200.1.0/24");
  outside["status"]["addresses"][0]["type"] = "ExternalIP";
  write({outside});

  EXPECT_TRUE(says("only the ExternalIP \\\"192.0.2.1\\\"; set kubelet's --node-ip"))
      << daemon->err();
}

TEST_F(FirstStart, WithAnInternalIpOnNoDeviceSaysWhatToDo) {
  write({make_node("node-a", "192.0.2.9", "10.200.1.0/24")});

  EXPECT_TRUE(says("InternalIP 192.0.2.9 is on no device of this node; set kubelet's --node-ip"))
      << daemon->err();
}

TEST_F(FirstStart, OutsideThePodNetworksTakesNoPodsAndSaysWhy) {
  daemon->signal(SIGTERM);
  daemon->wait();
  write({make_node("node-a", "192.0.2.1", "10.201.1.0/24")});
  daemon.emplace(node.start_daemon(
      {"--node-source", "file:" + file().string(), "--cluster-cidr", "10.200.0.0/16"}));

  EXPECT_TRUE(says("PodCIDR 10.201.1.0/24 lies outside the pod networks 10.200.0.0/16"))
      << daemon->err();
  Pod early("early");
  EXPECT_TRUE(failed(node.cni("ADD", early), 11, "has not learned a PodCIDR yet"));
}

TEST_F(FirstStart, GivesAddressesInTheOrderOfThePodCidrs) {
  const std::vector<std::string> addresses{"192.0.2.1", "2001:db8::1"};
  const std::vector<std::string> cidrs{"fd00:10:1::/64", "10.200.1.0/24"};
  write({make_node("node-a", addresses, cidrs)});
  ASSERT_TRUE(has_learned()) << daemon->err();

  const Pod pod = node.add_pod("pod");

  ASSERT_EQ(pod.addresses.size(), 2u);
  EXPECT_EQ(pod.addresses[0].str(), "fd00:10:1::2");
  EXPECT_EQ(pod.addresses[1].str(), "10.200.1.2");
}

}  // namespace
}  // namespace kubecni::test
