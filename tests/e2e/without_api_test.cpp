// A node that starts, also after a reboot, without an API server.

#include "base/file.hpp"
#include "cluster.hpp"
#include "support/traffic.hpp"

#include <csignal>

namespace kubecni::test {
namespace {

class WithoutApi : public testing::Test {
 protected:
  WithoutApi() {
    wire.connect_outside("192.0.2.254/24");
    wire.connect(node, "192.0.2.1/24");
    start_server();
    daemon.emplace(start_daemon());
    if (!eventually([&] { return knows_cidr(node, "10.200.2.0/24"); }))
      throw std::runtime_error("the daemon does not get ready: " + daemon->err());
    url = server->url();
    port = server->port();
  }

  void start_server(int at = 0) {
    server = must(ApiServer::start({.address = "192.0.2.254", .port = at}));
    server->set_node(make_node("node-a", "192.0.2.1", "10.200.1.0/24"));
    server->set_node(make_node("node-b", "192.0.2.2", "10.200.2.0/24"));
  }
  [[nodiscard]] Process start_daemon() const {
    return node.start_daemon(
        {"--node-source", "kubernetes", "--api-server", server ? server->url() : url});
  }

  /// Ends the daemon and the API server, and removes what a reboot would: devices, routes, pins,
  /// and the run folder. The state folder stays.
  void reboot_without_api() {
    daemon->signal(SIGKILL);
    daemon->wait();
    server.reset();
    node.must_run({"ip", "link", "del", "cni0"});
    node.must_run({"ip", "route", "flush", "proto", "84"});
    node.must_run({"nft", "delete", "table", "inet", "kube-cni"});
    std::filesystem::remove_all(node.bpffs());
    std::filesystem::remove_all(node.run_dir());
  }

  bool is_whole() {
    return eventually(
        [&] { return knows_cidr(node, "10.200.2.0/24") && has_map_entry(node, "10.200.1.0/24"); });
  }

  Wire wire{"wire"};
  Node node{"node-a", std::vector<std::string>{}, "ebpf"};
  std::unique_ptr<ApiServer> server;
  std::string url;
  int port = 0;
  std::optional<Process> daemon;
};

TEST_F(WithoutApi, ARebootedNodeWorksFromWhatItLastKnew) {
  reboot_without_api();

  daemon.emplace(start_daemon());

  ASSERT_TRUE(is_whole()) << daemon->err();
  const Pod one = node.add_pod("one");
  const Pod two = node.add_pod("two");
  EXPECT_TRUE(ok(ping(one.netns, two.address)));
  EXPECT_GT(node.counters()[KUBECNI_FAST_TO_LOCAL_POD].packets, 0u);
  EXPECT_TRUE(ok(node.cni("DEL", one)));
  EXPECT_TRUE(ok(node.cni("DEL", two)));
}

TEST_F(WithoutApi, APluginOfARebootedNodeNeedsNoDaemonEither) {
  reboot_without_api();

  const Pod pod = node.add_pod("pod");

  EXPECT_TRUE(ok(ping(pod.netns, IpAddr::parse("10.200.1.1").value())));
  EXPECT_TRUE(ok(node.cni("DEL", pod)));
}

TEST_F(WithoutApi, DifferencesAreAppliedWhenItIsBackAndNothingElseIsTouched) {
  reboot_without_api();
  daemon.emplace(start_daemon());
  ASSERT_TRUE(is_whole()) << daemon->err();
  const Pod pod = node.add_pod("pod");
  // The reported changes of maps and routes, one per line.
  Process routes({.argv = {"ip", "monitor", "route", "address"}, .netns_fd = node.netns.fd()});

  start_server(port);
  server->set_node(make_node("node-c", "192.0.2.3", "10.200.3.0/24"));

  ASSERT_TRUE(
      eventually([&] { return knows_cidr(node, "10.200.3.0/24"); }, std::chrono::seconds(40)))
      << daemon->err();
  EXPECT_TRUE(eventually([&] { return routes.out().find("10.200.3.0/24") != std::string::npos; }));
  EXPECT_EQ(routes.out().find("Deleted"), std::string::npos) << routes.out();
  EXPECT_EQ(routes.out().find("10.200.2.0/24"), std::string::npos) << routes.out();
  EXPECT_TRUE(ok(ping(pod.netns, IpAddr::parse("10.200.1.1").value())));
}

}  // namespace
}  // namespace kubecni::test
