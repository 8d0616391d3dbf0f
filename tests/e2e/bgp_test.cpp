// --routing bgp with real BIRD on three nodes and on the router between them.

#include "cluster.hpp"
#include "conversation.hpp"
#include "paths.hpp"
#include "support/program.hpp"
#include "support/traffic.hpp"

#include <csignal>
#include <fstream>
#include <map>
#include <sstream>

namespace kubecni::test {
namespace {

constexpr const char* kFolder = "/run/kube-cni-test";

/// What the router is to the nodes.
enum class Role {
  kOtherSystem,  ///< a router of AS 64600
  kReflector,    ///< a route reflector of the nodes' own AS
};

/// BIRD on the router. It also tells the nodes what they must not take: a default route, networks
/// around and inside of PodCIDRs, and the network of a node.
class RouterBird {
 public:
  RouterBird(const Cluster& cluster, Role role) : router_(cluster.underlay.router) {
    std::ofstream(config_) << config_text(cluster, role);
    Node::must_run_in(router_, {"nft", "delete", "table", "inet", "underlay"});
    bird_.emplace(Command{.argv = {"/usr/sbin/bird", "-f", "-c", config_, "-s", socket_},
                          .netns_fd = router_.fd()});
    if (!eventually([&] { return std::filesystem::exists(socket_); }))
      throw std::runtime_error("BIRD of the router: " + bird_->wait().err);
  }

  void tell(const std::string& command) const {
    std::vector<std::string> argv{"/usr/sbin/birdc", "-s", socket_};
    std::istringstream words(command);
    for (std::string word; words >> word;) argv.push_back(word);
    must_run({.argv = argv});
  }

 private:
  static std::string config_text(const Cluster& cluster, Role role) {
    std::string text =
        "log \"" + std::string(kFolder) +
        "/router.log\" all;\n"
        "router id 192.0.2.254;\n"
        "protocol device { scan time 1; }\n"
        "protocol direct { ipv4; ipv6; }\n"
        "protocol static { ipv4; route 0.0.0.0/0 blackhole; route 10.200.0.0/16 blackhole;"
        " route 10.200.3.128/25 blackhole; route 10.200.1.0/24 blackhole { preference = 1; }; }\n"
        "protocol kernel { ipv4 { export where source = RTS_BGP; }; }\n"
        "protocol kernel { ipv6 { export where source = RTS_BGP; }; }\n";
    for (std::size_t i = 0; i < cluster.size(); ++i)
      for (const int family : {AF_INET, AF_INET6}) {
        const std::string digit = family == AF_INET ? "4" : "6";
        const std::string as = role == Role::kReflector ? "64512" : "64600";
        text += "protocol bgp " + std::string(1, char('a' + i)) + digit + " {\n local " +
                Underlay::address(1, 254, family).str() + " as " + as + ";\n neighbor " +
                cluster.member(i).address_of(family).str() + " as 64512;\n multihop;\n" +
                (role == Role::kReflector ? " rr client;\n" : "") +
                " hold time 9; connect delay time 1; connect retry time 1; error wait time 1, 2;\n"
                " graceful restart;\n ipv" +
                digit + " { import all; export all; };\n}\n";
      }
    return text;
  }

  const NetNs& router_;
  std::string config_ = std::string(kFolder) + "/router.conf";
  std::string socket_ = std::string(kFolder) + "/router.ctl";
  std::optional<Process> bird_;
};

/// What `ip` says of table 85 of the family; nothing where there is no such table.
std::string table_85(const Node& node, int family, const std::vector<std::string>& more = {}) {
  std::vector<std::string> argv{"ip", family == AF_INET ? "-4" : "-6", "route", "show", "table",
                                "85"};
  argv.insert(argv.end(), more.begin(), more.end());
  return run({.argv = argv, .netns_fd = node.netns.fd()}).out;
}

std::string learned(const Node& node, const std::string& cidr) {
  const int family = IpNet::parse(cidr).value().addr.family();
  return table_85(node, family, {"proto", "bird", "exact", cidr});
}

bool has_rule(const Node& node) {
  return node.must_run({"ip", "rule"}).find("lookup 85") != std::string::npos;
}

pid_t bird_of(const Node& node) {
  pid_t pid = -1;
  std::ifstream(node.run_dir() / "bird.pid") >> pid;
  return pid;
}

std::string ctl(const Node& node, const std::vector<std::string>& command) {
  std::vector<std::string> argv{program("kube-cnictl"), "--run-dir", node.run_dir(), "--state-dir",
                                node.state_dir(),       "--bpffs",   node.bpffs()};
  argv.insert(argv.end(), command.begin(), command.end());
  return node.must_run(argv);
}

/// How the node's map says that pods of `cidr` are reached; 0: they are not.
unsigned kind_of(const Node& node, const std::string& cidr) {
  const auto nodes = must(node.dataplane().node_cidrs.entries());
  const auto entry = nodes.find(IpNet::parse(cidr).value());
  return entry == nodes.end() ? 0 : entry->second.kind;
}

class Bgp : public testing::Test {
 protected:
  explicit Bgp(std::vector<std::string> options, const std::string& mode = "bridge")
      : cluster({.mode = mode,
                 .families = Families::kDual,
                 .topology = Topology::kMixed,
                 .routing = {"bgp"},
                 .daemon_options = [&] {
                   options.insert(options.end(), {"--bgp-hold-time", "9"});
                   return options;
                 }()}) {}
  ~Bgp() override {
    for (std::size_t i = 0; i < cluster.size(); ++i) {
      cluster.member(i).daemon.reset();
      if (const pid_t bird = bird_of(cluster.member(i).node); bird > 1) ::kill(bird, SIGKILL);
    }
  }

  /// Whether `from` reaches all pods of `to` by BGP, in kernel and map.
  [[nodiscard]] bool is_by_bgp(std::size_t from, std::size_t to) const {
    const Node& node = cluster.member(from).node;
    return std::ranges::all_of(cluster.member(to).cidrs, [&](const std::string& cidr) {
      return !learned(node, cidr).empty() && kind_of(node, cidr) == KUBECNI_NODE_DIRECT;
    });
  }
  [[nodiscard]] bool all_by_bgp() const {
    for (std::size_t from = 0; from < cluster.size(); ++from)
      for (std::size_t to = 0; to < cluster.size(); ++to)
        if (from != to && !is_by_bgp(from, to)) return false;
    return true;
  }
  /// For messages.
  [[nodiscard]] std::string state() const {
    std::string text;
    for (std::size_t i = 0; i < cluster.size(); ++i)
      text += ctl(cluster.member(i).node, {"nodes"}) + cluster.member(i).daemon->err();
    return text;
  }

  void expect_pods_reach_each_other(bool (*is_tunnelled)(std::size_t, std::size_t)) {
    for (std::size_t from = 0; from < cluster.size(); ++from)
      for (std::size_t to = from + 1; to < cluster.size(); ++to)
        for (const int family : {AF_INET, AF_INET6}) {
          SCOPED_TRACE(std::to_string(from) + " to " + std::to_string(to));
          const Cluster::Member& one = cluster.member(from);
          const Cluster::Member& other = cluster.member(to);
          // A first packet may meet a next hop that the kernel does not know yet.
          EXPECT_TRUE(ok(ping(one.pod->netns, other.pod->address_of(family))));
          EXPECT_TRUE(ok(ping(other.pod->netns, one.pod->address_of(family))));
          expect_on_ebpf(one.node, other.node, is_tunnelled(from, to), 5, [&] {
            EXPECT_TRUE(
                ok(udp_echo(one.pod->netns, other.pod->netns, other.pod->address_of(family), 5)));
            EXPECT_TRUE(ok(ping(one.pod->netns, other.pod->address_of(family))));
          });
          EXPECT_TRUE(ok(ping(one.node.netns, other.pod->address_of(family))));
        }
  }

  Cluster cluster;
};

constexpr auto kNever = [](std::size_t, std::size_t) { return false; };

class BgpWithRouter : public Bgp {
 protected:
  BgpWithRouter()
      : Bgp({"--bgp-mesh", "off", "--bgp-peer", "192.0.2.254@64600", "--bgp-peer",
             "2001:db8:1::fe@64600"}) {}

  RouterBird router{cluster, Role::kOtherSystem};
};

TEST_F(BgpWithRouter, PodsReachEachOtherByEbpfAndNothingElseIsTaken) {
  ASSERT_TRUE(eventually([&] { return all_by_bgp(); })) << state();

  expect_pods_reach_each_other(kNever);
  const std::string routes = table_85(cluster.a, AF_INET);
  EXPECT_EQ(std::ranges::count(routes, '\n'), 2) << routes;
  EXPECT_THAT(ctl(cluster.a, {"nodes"}),
              testing::HasSubstr("BGP peer 192.0.2.254 (AS 64600): Established"));
}

TEST_F(BgpWithRouter, WithdrawnRouteLeavesKernelAndMap) {
  ASSERT_TRUE(eventually([&] { return all_by_bgp(); })) << state();
  const std::string cidr = cluster.member(2).cidr_of(AF_INET);

  router.tell("disable c4");

  ASSERT_TRUE(eventually([&] { return kind_of(cluster.a, cidr) == KUBECNI_NODE_VXLAN; }));
  EXPECT_EQ(learned(cluster.a, cidr), "");
  EXPECT_TRUE(ok(ping(cluster.pod_a->netns, cluster.member(2).pod->address)));
  EXPECT_TRUE(is_by_bgp(0, 1));

  // And without a fallback it is not reached.
  cluster.daemon_a->signal(SIGTERM);
  ASSERT_EQ(cluster.daemon_a->wait().status, 0);
  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a, {"--bgp-fallback", "none"}));
  EXPECT_TRUE(eventually([&] { return kind_of(cluster.a, cidr) == 0; }));
  EXPECT_FALSE(has_route(cluster.a, cidr));
  router.tell("enable c4");
  EXPECT_TRUE(eventually([&] { return is_by_bgp(0, 2); })) << state();
}

TEST_F(BgpWithRouter, PeerThatFlapsHarmsNobodyElse) {
  ASSERT_TRUE(eventually([&] { return all_by_bgp(); })) << state();
  Conversation conversation(*cluster.pod_a, *cluster.member(2).pod);

  for (int i = 0; i < 3; ++i) {
    router.tell("disable b4");
    ASSERT_TRUE(
        eventually([&] { return learned(cluster.a, cluster.member(1).cidr_of(AF_INET)).empty(); }));
    router.tell("enable b4");
    ASSERT_TRUE(eventually([&] { return is_by_bgp(0, 1); })) << state();
  }

  conversation.stop();
  EXPECT_GT(conversation.asked(), 10u);
  EXPECT_EQ(conversation.lost(), 0u);
}

TEST_F(BgpWithRouter, BirdThatIsKilledAndADaemonThatRestartsLoseNothing) {
  ASSERT_TRUE(eventually([&] { return all_by_bgp(); })) << state();
  Conversation forth(*cluster.pod_a, *cluster.member(2).pod);
  Conversation back(*cluster.pod_b, *cluster.pod_a);
  const pid_t killed = bird_of(cluster.a);

  ::kill(killed, SIGKILL);

  ASSERT_TRUE(eventually([&] {
    return bird_of(cluster.a) != killed &&
           ctl(cluster.a, {"nodes"}).find("192.0.2.254 (AS 64600): Established") !=
               std::string::npos;
  })) << state();
  const pid_t bird = bird_of(cluster.a);
  cluster.daemon_a->signal(SIGKILL);
  cluster.daemon_a->wait();
  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));
  ASSERT_TRUE(eventually([&] {
    return cluster.daemon_a->err().find("BIRD's configuration loaded") != std::string::npos;
  })) << cluster.daemon_a->err();
  EXPECT_EQ(bird_of(cluster.a), bird);
  EXPECT_TRUE(all_by_bgp()) << state();
  forth.stop();
  back.stop();
  EXPECT_EQ(forth.lost() + back.lost(), 0u) << "of " << forth.asked() + back.asked();
}

class BgpWithReflector : public Bgp {
 protected:
  BgpWithReflector()
      : Bgp({"--bgp-mesh", "off", "--bgp-peer", "192.0.2.254", "--bgp-peer", "2001:db8:1::fe"}) {}

  RouterBird router{cluster, Role::kReflector};
};

TEST_F(BgpWithReflector, TakesThePlaceOfTheMesh) {
  ASSERT_TRUE(eventually([&] { return all_by_bgp(); })) << state();

  expect_pods_reach_each_other(kNever);
  EXPECT_THAT(learned(cluster.a, cluster.member(1).cidr_of(AF_INET)),
              testing::HasSubstr("via 192.0.2.2 dev eth0"));
  EXPECT_THAT(learned(cluster.a, cluster.member(2).cidr_of(AF_INET)),
              testing::HasSubstr("via 192.0.2.254 dev eth0"));
}

/// The default: no router speaks BGP.
class BgpMesh : public Bgp {
 protected:
  BgpMesh() : Bgp(std::vector<std::string>{}) {}
};

TEST_F(BgpMesh, IsBetweenNodesOnALinkAndTheTunnelLeadsToOthers) {
  ASSERT_TRUE(eventually([&] { return is_by_bgp(0, 1) && is_by_bgp(1, 0); })) << state();

  expect_pods_reach_each_other([](std::size_t, std::size_t to) { return to == 2; });
  EXPECT_EQ(cluster.underlay.leaked(), 0u);
}

class BgpMeshInModePtp : public Bgp {
 protected:
  BgpMeshInModePtp() : Bgp({}, "ptp") {}
};

TEST_F(BgpMeshInModePtp, IsBetweenNodesOnALinkAndTheTunnelLeadsToOthers) {
  ASSERT_TRUE(eventually([&] { return is_by_bgp(0, 1) && is_by_bgp(1, 0); })) << state();

  expect_pods_reach_each_other([](std::size_t, std::size_t to) { return to == 2; });
  EXPECT_EQ(cluster.underlay.leaked(), 0u);
}

TEST_F(BgpMesh, EndsWithoutALossWhenTheRoutingChanges) {
  ASSERT_TRUE(eventually([&] { return is_by_bgp(0, 1) && is_by_bgp(1, 0); })) << state();
  Conversation conversation(*cluster.pod_a, *cluster.pod_b);

  cluster.daemon_a->signal(SIGTERM);
  ASSERT_EQ(cluster.daemon_a->wait().status, 0);
  cluster.member(0).options = {"--routing", "auto"};
  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));

  ASSERT_TRUE(eventually([&] {
    return kind_of(cluster.b, cluster.member(0).cidr_of(AF_INET)) == KUBECNI_NODE_VXLAN;
  })) << state();
  EXPECT_FALSE(std::filesystem::exists(cluster.a.run_dir() / "bird.conf"));
  EXPECT_EQ(learned(cluster.a, cluster.member(1).cidr_of(AF_INET)), "");
  EXPECT_FALSE(has_rule(cluster.a));
  conversation.stop();
  EXPECT_EQ(conversation.lost(), 0u) << "of " << conversation.asked();
}

// The operator's has the port and the main table; kube-cnid's leaves both.
TEST_F(BgpMesh, LeavesTheOperatorsBirdAlone) {
  const std::string folder = cluster.a.folder();
  std::ofstream(folder + "/own.conf")
      << "router id 192.0.2.1; protocol device {}\n"
         "protocol static { ipv4; route 203.0.113.128/25 via 192.0.2.2; }\n"
         "protocol kernel { ipv4 { export all; }; }\n";
  Process own(
      {.argv = {"/usr/sbin/bird", "-f", "-c", folder + "/own.conf", "-s", folder + "/own.ctl"},
       .netns_fd = cluster.a.netns.fd()});
  const auto own_route = [&] {
    return cluster.a.must_run({"ip", "route", "show", "203.0.113.128/25", "proto", "bird"});
  };
  ASSERT_TRUE(eventually([&] { return !own_route().empty() && is_by_bgp(0, 1); })) << state();

  const pid_t killed = bird_of(cluster.a);
  ::kill(killed, SIGKILL);  // the next one looks at all routes
  ASSERT_TRUE(eventually([&] { return bird_of(cluster.a) != killed; }));
  ASSERT_TRUE(eventually([&] { return is_by_bgp(0, 1); })) << state();

  EXPECT_NE(own_route(), "");
  EXPECT_TRUE(own.is_running());
}

TEST_F(BgpMesh, SaysThatAnotherProgramHasItsPortAndTakesItOnceItIsFree) {
  const auto are_sessions_up = [&] {
    return ctl(cluster.a, {"nodes"}).find(" Established ") != std::string::npos;
  };
  ASSERT_TRUE(eventually([&] { return is_by_bgp(0, 1) && are_sessions_up(); })) << state();
  cluster.daemon_a->signal(SIGSTOP);
  ::kill(bird_of(cluster.a), SIGKILL);
  std::optional<Process> other(
      Command{.argv = {"socat", "TCP6-LISTEN:179,ipv6only=0,reuseaddr,fork", "/dev/null"},
              .netns_fd = cluster.a.netns.fd()});
  ASSERT_TRUE(eventually([&] {
    return cluster.a.must_run({"ss", "-Hltn", "sport", "=", "179"}).contains(":179");
  })) << other->err();
  cluster.daemon_a->signal(SIGCONT);

  EXPECT_TRUE(eventually([&] {
    return ctl(cluster.a, {"status"}).contains("BIRD cannot listen on 192.0.2.1 port 179");
  })) << state();
  EXPECT_FALSE(are_sessions_up());
  EXPECT_TRUE(is_by_bgp(0, 1)) << "the routes stay";
  other->signal(SIGTERM);
  other->wait();

  EXPECT_TRUE(eventually([&] { return is_by_bgp(0, 1) && are_sessions_up(); })) << state();
  EXPECT_FALSE(ctl(cluster.a, {"status"}).contains("cannot listen"));
}

TEST_F(BgpMesh, CleanupEndsBirdAndRemovesItsRoutes) {
  ASSERT_TRUE(eventually([&] { return is_by_bgp(0, 1); })) << state();
  const pid_t bird = bird_of(cluster.a);
  cluster.daemon_a->signal(SIGTERM);
  cluster.daemon_a->wait();

  run({.argv = {program("kube-cnid"), "cleanup", "--state-dir", cluster.a.state_dir(), "--run-dir",
                cluster.a.run_dir(), "--bpffs", cluster.a.bpffs()},
       .netns_fd = cluster.a.netns.fd()});

  EXPECT_TRUE(eventually([&] { return ::kill(bird, 0) != 0; }));
  EXPECT_EQ(table_85(cluster.a, AF_INET), "");
  EXPECT_FALSE(has_rule(cluster.a));
}

}  // namespace
}  // namespace kubecni::test
