// kube-cnid with its nodes from an API server.

#include "cluster.hpp"
#include "support/program.hpp"
#include "support/traffic.hpp"

namespace kubecni::test {
namespace {

// After a lost connection it tries again soon, but not at once.
std::chrono::seconds reconnect() { return at_once() + std::chrono::seconds(5); }

class DaemonOnApi : public testing::Test {
 protected:
  DaemonOnApi() {
    wire.connect_outside("192.0.2.254/24");
    wire.connect(node, "192.0.2.1/24");
    server = must(ApiServer::start({.address = "192.0.2.254"}));
    server->set_node(make_node("node-a", "192.0.2.1", "10.200.1.0/24"));
    server->set_node(make_node("node-b", "192.0.2.2", "10.200.2.0/24"));
    daemon.emplace(
        node.start_daemon({"--node-source", "kubernetes", "--api-server", server->url()}));
    if (!eventually([&] { return knows_cidr(node, "10.200.2.0/24"); }))
      throw std::runtime_error("the daemon does not get ready: " + daemon->err());
    // Without a watch, an event has no effect.
    if (!eventually([&] { return server->counters().live_watches == 1; }))
      throw std::runtime_error("no watch: " + daemon->err());
  }

  bool gets_to_know(const std::string& cidr, std::chrono::seconds deadline) {
    return eventually([&] { return knows_cidr(node, cidr); }, deadline);
  }

  Wire wire{"wire"};
  Node node{"node-a", "10.200.1.0/24", "ebpf"};
  std::unique_ptr<ApiServer> server;
  std::optional<Process> daemon;
};

TEST_F(DaemonOnApi, NewNodeIsKnownAtOnce) {
  server->set_node(make_node("node-c", "192.0.2.3", "10.200.3.0/24"));

  EXPECT_TRUE(gets_to_know("10.200.3.0/24", at_once())) << daemon->err();
}

// Else it would masquerade flows to its pods, for the flows' whole life.
TEST_F(DaemonOnApi, NewNodeIsKnownToNetfilterFirst) {
  const auto nft = [&](const std::string& set, const std::string& element) {
    return run({.argv = {"nft", "get", "element", "inet", "kube-cni", set, "{ " + element + " }"},
                .netns_fd = node.netns.fd()})
               .status == 0;
  };
  int before_its_round = 0;
  for (const std::string n : {"3", "4", "5", "6", "7"}) {
    const std::string cidr = "10.200." + n + ".0/24";
    const std::size_t said = daemon->err().size();
    const auto at = [&](const std::string& what) { return daemon->err().find(what, said); };
    server->set_node(make_node("node-" + n, "192.0.2." + n, cidr));

    ASSERT_TRUE(eventually([&] { return has_route(node, cidr) || has_map_entry(node, cidr); }))
        << daemon->err();

    EXPECT_TRUE(nft("cluster_pods4", cidr));
    EXPECT_TRUE(nft("nodes4", "192.0.2." + n));
    EXPECT_TRUE(nft("tunnel_peers4", "192.0.2." + n));
    const std::string of_round = "nftables table inet kube-cni changed";
    ASSERT_TRUE(eventually([&] { return at(of_round) != std::string::npos; })) << daemon->err();
    before_its_round += at("route " + cidr + " via") < at(of_round);
  }
  // One may meet a round that begins anyway.
  EXPECT_GE(before_its_round, 4) << daemon->err();
  EXPECT_EQ(daemon->err().find("somebody"), std::string::npos) << daemon->err();
}

TEST_F(DaemonOnApi, DeletedNodeIsForgottenAtOnce) {
  server->delete_node("node-b");

  EXPECT_TRUE(eventually([&] { return !has_route(node, "10.200.2.0/24"); }, at_once()))
      << daemon->err();
}

TEST_F(DaemonOnApi, NodeWithAnotherAddressIsReachedThere) {
  server->set_node(make_node("node-b", "192.0.2.7", "10.200.2.0/24"));

  EXPECT_TRUE(eventually(
      [&] {
        return node.must_run({"ip", "route", "show", "10.200.2.0/24"}).find("192.0.2.7") !=
               std::string::npos;
      },
      at_once()));
}

TEST_F(DaemonOnApi, CutConnectionIsMadeAgainAndNothingIsMissed) {
  server->cut_connections(ApiServer::Cut::kInsideEvent);
  server->set_node(make_node("node-c", "192.0.2.3", "10.200.3.0/24"));

  EXPECT_TRUE(gets_to_know("10.200.3.0/24", reconnect())) << daemon->err();
  EXPECT_TRUE(knows_cidr(node, "10.200.2.0/24"));
}

TEST_F(DaemonOnApi, ExpiredHistoryIsListedAgain) {
  server->replace_nodes({make_node("node-a", "192.0.2.1", "10.200.1.0/24"),
                         make_node("node-c", "192.0.2.3", "10.200.3.0/24")});

  EXPECT_TRUE(gets_to_know("10.200.3.0/24", reconnect())) << daemon->err();
  EXPECT_TRUE(eventually([&] { return !has_route(node, "10.200.2.0/24"); }));
}

TEST_F(DaemonOnApi, ServerThatIsGoneLeavesTheNodeWorking) {
  server.reset();

  EXPECT_TRUE(eventually([&] { return daemon->err().find("level=error") != std::string::npos; }))
      << daemon->err();
  EXPECT_TRUE(knows_cidr(node, "10.200.2.0/24"));
  const Pod pod = node.add_pod("pod", {{"subnet", nullptr}});
  EXPECT_EQ(pod.address.str(), "10.200.1.2");
  EXPECT_TRUE(ok(ping(pod.netns, node.gateway())));
}

}  // namespace
}  // namespace kubecni::test
