// /healthz and /readyz, and that a problem with their server does not affect the daemon.

#include "cluster.hpp"
#include "scrape.hpp"
#include "support/http.hpp"
#include "support/program.hpp"
#include "support/socket.hpp"
#include "support/traffic.hpp"

#include <sys/mount.h>

#include <csignal>
#include <vector>

namespace kubecni::test {
namespace {

using testing::HasSubstr;

// A round of the daemon begins every 10 s.
constexpr std::chrono::seconds kNextRound{14};

class Health : public testing::Test {
 protected:
  HttpReply ask(const std::string& path, std::uint16_t port = kMetricsPort) {
    return http_get(cluster.a.netns, port, path);
  }
  bool reach_each_other() { return ping(cluster.pod_a->netns, cluster.pod_b->address).has_value(); }
  void restart_with(const std::vector<std::string>& options) {
    cluster.daemon_a->signal(SIGTERM);
    ASSERT_EQ(cluster.daemon_a->wait().status, 0);
    cluster.daemon_a.emplace(cluster.start_daemon(cluster.a, options));
  }
  [[nodiscard]] bool says(const std::string& phrase) const {
    return cluster.daemon_a->err().find(phrase) != std::string::npos;
  }
  /// A client that is connected to the server and has sent `text`.
  UniqueFd connect(const std::string& text) {
    return connect(text, cluster.a.netns, {*IpAddr::parse("127.0.0.1"), kMetricsPort});
  }
  static UniqueFd connect(const std::string& text, const NetNs& from, const SocketAddress& server) {
    UniqueFd fd = open_socket(from, AF_INET, SOCK_STREAM);
    EXPECT_EQ(::connect(fd.get(), server.raw(), server.size()), 0);
    EXPECT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
    return fd;
  }

  Cluster cluster{"ebpf"};
};

TEST_F(Health, WorkingNodeIsHealthy) {
  for (const char* path : {"/healthz", "/readyz"}) {
    EXPECT_EQ(ask(path).status, 200) << path;
    EXPECT_EQ(ask(path).body, "ok\n") << path;
  }
  EXPECT_EQ(ask("/").status, 404);
}

TEST_F(Health, NodeOutsideOfTheClusterIsHealthyButNotReady) {
  cluster.write_nodes({Cluster::two_nodes().back()});

  EXPECT_TRUE(eventually([&] { return ask("/readyz").status == 503; }));
  EXPECT_THAT(ask("/readyz").body, HasSubstr("node-a"));
  EXPECT_EQ(scrape(cluster.a)["kube_cni_ready"], 0);
  EXPECT_EQ(ask("/healthz").status, 200);

  cluster.write_nodes(Cluster::two_nodes());
  EXPECT_TRUE(eventually([&] { return ask("/readyz").status == 200; }));
}

TEST_F(Health, NodeIsNotReadyIfItsListCannotBeWritten) {
  const auto folder = cluster.a.folder() / "net.d";
  std::filesystem::create_directories(folder / "10-kube-cni.conflist");
  std::filesystem::create_directories(cluster.a.folder() / "bin");
  restart_with({"--cni-conf-dir", folder, "--cni-bin-dir", cluster.a.folder() / "bin",
                "--plugin-binary", program("kube-cni")});

  EXPECT_TRUE(eventually([&] {
    return ask("/readyz").body.find("10-kube-cni.conflist is a directory") != std::string::npos;
  })) << ask("/readyz").body;

  std::filesystem::remove(folder / "10-kube-cni.conflist");
  EXPECT_TRUE(eventually([&] { return ask("/readyz").status == 200; })) << ask("/readyz").body;
}

TEST_F(Health, NodeIsNotReadyIfItsPluginsMayNotBeExecuted) {
  const auto bin = cluster.a.folder() / "bin";
  std::filesystem::create_directories(bin);
  ASSERT_EQ(::mount("tmpfs", bin.c_str(), "tmpfs", MS_NOEXEC, ""), 0);
  restart_with({"--cni-conf-dir", cluster.a.folder() / "net.d", "--cni-bin-dir", bin,
                "--plugin-binary", program("kube-cni")});

  EXPECT_TRUE(eventually([&] {
    return ask("/readyz").body.find("its folder is mounted noexec") != std::string::npos;
  })) << ask("/readyz").body;
  ::umount2(bin.c_str(), MNT_DETACH);
}

TEST_F(Health, IsServedAtTheConfiguredAddressOrNowhere) {
  restart_with({"--metrics-address", "0.0.0.0:9999"});
  EXPECT_TRUE(eventually([&] { return ask("/healthz", 9999).status == 200; }));
  EXPECT_EQ(ask("/healthz").status, 0);

  restart_with({"--metrics-address", "off"});
  EXPECT_TRUE(eventually([&] { return says("msg=started"); }));
  EXPECT_EQ(ask("/healthz", 9999).status, 0);
  EXPECT_TRUE(reach_each_other());
}

TEST_F(Health, AddressInUseIsReportedAndTakenWhenItIsFree) {
  cluster.daemon_a->signal(SIGTERM);
  ASSERT_EQ(cluster.daemon_a->wait().status, 0);
  UniqueFd other = open_socket(cluster.a.netns, AF_INET, SOCK_STREAM);
  bind_port(other.get(), AF_INET, kMetricsPort);
  ASSERT_EQ(::listen(other.get(), 1), 0);
  auto nodes = Cluster::two_nodes();
  nodes.push_back(make_node("node-c", "192.0.2.3", "10.200.3.0/24"));
  cluster.write_nodes(nodes);

  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));

  EXPECT_TRUE(eventually([&] { return knows_cidr(cluster.a, "10.200.3.0/24"); }));
  EXPECT_THAT(cluster.daemon_a->err(), HasSubstr("127.0.0.1:9484"));
  EXPECT_EQ(ask("/healthz", kHealthPort).status, 200) << "that port is free";
  EXPECT_TRUE(says("not served; everything else works"));
  EXPECT_TRUE(reach_each_other());

  other.reset();
  EXPECT_TRUE(eventually([&] { return ask("/healthz").status == 200; }, kNextRound));
}

TEST_F(Health, IsServedBesideManySilentClients) {
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 25; ++i) clients.push_back(connect("GET /metrics HTTP/1.1\r\nX-Slow: "));

  EXPECT_EQ(ask("/healthz").status, 200);
  EXPECT_EQ(ask("/metrics").status, 200);
}

// Otherwise the kubelet kills the daemon: a pod with some sockets, or anybody on this machine,
// could make it do that.
TEST_F(Health, IsServedWhateverOthersHold) {
  restart_with({"--metrics-address", "0.0.0.0:9484"});
  ASSERT_TRUE(eventually([&] { return ask("/readyz").status == 200; }));
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(connect("", cluster.pod_a->netns, {cluster.a.gateway(), kMetricsPort}));
    clients.push_back(connect(""));
    clients.push_back(connect("GET /healthz HTTP/1.1\r\nX-Slow: ", cluster.a.netns,
                              {*IpAddr::parse("127.0.0.1"), kHealthPort}));
  }

  for (const std::uint16_t port : {kHealthPort, kMetricsPort})
    for (const char* path : {"/healthz", "/readyz"}) EXPECT_EQ(ask(path, port).status, 200) << path;
  EXPECT_EQ(ask("/metrics").status, 200);
  EXPECT_EQ(ask("/metrics", kHealthPort).status, 404);
}

TEST_F(Health, ClientsDoNotKeepTheDaemonFromEnding) {
  const UniqueFd silent = connect("");
  const UniqueFd slow = connect("GET /metrics HTTP/1.1\r\n");
  ASSERT_EQ(ask("/healthz").status, 200);

  cluster.daemon_a->signal(SIGTERM);

  // Long before the clients' own deadline.
  EXPECT_EQ(cluster.daemon_a->wait(std::chrono::seconds(5)).status, 0);
}

TEST_F(Health, ManyScrapesAtOnceAreAnswered) {
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 200; ++i)
    clients.push_back(connect("GET /metrics HTTP/1.1\r\nHost: node\r\n\r\n"));

  unsigned answered = 0;
  for (const auto& client : clients) {
    std::array<char, 12> status{};
    if (::recv(client.get(), status.data(), status.size(), MSG_WAITALL) == 12 &&
        std::string(status.data(), status.size()) == "HTTP/1.1 200")
      ++answered;
  }
  EXPECT_EQ(answered, clients.size());
  EXPECT_TRUE(reach_each_other());
}

}  // namespace
}  // namespace kubecni::test
