// `"ipam": {"type": ...}`: another plugin allocates the addresses. Debian's host-local, static and
// dhcp for success, scripts for failures.

#include "base/file.hpp"
#include "expect.hpp"
#include "net/address.hpp"
#include "net/bridge.hpp"
#include "support/node_state.hpp"
#include "support/program.hpp"
#include "support/traffic.hpp"

#include <filesystem>
#include <sstream>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
namespace fs = std::filesystem;

class DelegatedIpam : public testing::Test {
 protected:
  [[nodiscard]] json host_local(const std::string& subnet = "10.210.0.0/24") const {
    return {{"type", "host-local"}, {"dataDir", data_dir()}, {"ranges", {{{{"subnet", subnet}}}}}};
  }
  /// Outside of the node's folders, since host-local leaves a file there.
  [[nodiscard]] static fs::path data_dir() { return "/run/host-local"; }
  [[nodiscard]] bool has_lease(const std::string& address) const {
    return fs::exists(data_dir() / "pods" / address);
  }
  [[nodiscard]] std::string state(const Pod& pod) const { return state_of(node, {&pod}, false); }

  Node node{"node", "10.200.0.0/24", "ebpf"};
};

TEST_F(DelegatedIpam, HostLocalGivesTheAddressAndEbpfCarriesTheTraffic) {
  const json conf{{"ipam", host_local()}};
  const Pod one = node.add_pod("one", conf);
  const Pod two = node.add_pod("two", conf);
  const auto before = node.counters();

  EXPECT_TRUE(ok(tcp_transfer(one.netns, two.netns, two.address)));

  EXPECT_EQ(one.address.str(), "10.210.0.2");
  EXPECT_TRUE(has_lease("10.210.0.2"));
  EXPECT_GT(grown(before, node.counters(), KUBECNI_FAST_TO_LOCAL_POD), 10u);
  EXPECT_TRUE(ok(ping(one.netns, IpAddr::v4({10, 210, 0, 1})))) << "the gateway is the bridge";
}

TEST_F(DelegatedIpam, DelFreesTheAddressAndLeavesNothing) {
  const json conf{{"ipam", host_local()}};
  const Pod other = node.add_pod("other", conf);
  const Pod pod("pod");
  const auto before = state(pod);
  ASSERT_TRUE(ok(node.cni("ADD", pod, conf)));

  EXPECT_TRUE(ok(node.cni("DEL", pod, conf)));

  EXPECT_FALSE(has_lease("10.210.0.3"));
  EXPECT_EQ(state(pod), before);
  EXPECT_TRUE(ok(node.cni("DEL", pod, conf))) << "twice is fine";
}

TEST_F(DelegatedIpam, CheckAsksTheDelegate) {
  const json conf{{"cniVersion", "1.0.0"}, {"ipam", host_local()}};
  const Pod pod("pod");
  json with_result = conf;
  with_result["prevResult"] = node.cni("ADD", pod, conf).json;
  ASSERT_TRUE(ok(node.cni("CHECK", pod, with_result)));

  fs::remove(data_dir() / "pods" / "10.210.0.2");

  EXPECT_TRUE(failed(node.cni("CHECK", pod, with_result), 999, "host-local"));
}

TEST_F(DelegatedIpam, ADelegateThatKnowsOnlyOlderVersionsIsAskedInOneOfThem) {
  const json conf{{"cniVersion", "1.1.0"}, {"ipam", host_local()}};
  const Pod pod("pod");

  const auto added = node.cni("ADD", pod, conf);
  ASSERT_TRUE(ok(added));
  EXPECT_EQ(added.json["cniVersion"], "1.1.0");
  json with_result = conf;
  with_result["prevResult"] = added.json;
  EXPECT_TRUE(ok(node.cni("CHECK", pod, with_result)));
  EXPECT_TRUE(ok(node.cni("STATUS", pod, conf)));
  EXPECT_TRUE(ok(node.cni("DEL", pod, with_result)));

  EXPECT_FALSE(has_lease("10.210.0.2"));
}

TEST_F(DelegatedIpam, GcFreesAtADelegateWithoutGcWhatIsNotListed) {
  const json conf{{"ipam", host_local()}};
  const Pod kept = node.add_pod("kept", conf);
  const Pod stale = node.add_pod("stale", conf);
  json gc = conf;
  gc["cni.dev/valid-attachments"] = {{{"containerID", "kept"}, {"ifname", "eth0"}}};

  EXPECT_TRUE(ok(node.cni("GC", stale, gc)));

  EXPECT_TRUE(has_lease(kept.address.str()));
  EXPECT_FALSE(has_lease(stale.address.str()));
  EXPECT_TRUE(ok(ping(kept.netns, IpAddr::v4({10, 210, 0, 1}))));
}

TEST_F(DelegatedIpam, AnAddThatFailsLaterFreesTheAddress) {
  json conf{{"ipam", host_local()}};
  conf["ipam"]["routes"] = {{{"dst", "198.51.100.0/24"}, {"gw", "203.0.113.1"}}};
  const Pod other = node.add_pod("other", {{"ipam", host_local()}});
  const Pod pod("pod");
  const auto before = state(pod);

  EXPECT_TRUE(failed(node.cni("ADD", pod, conf), 101, "203.0.113.1"));

  EXPECT_FALSE(has_lease("10.210.0.3"));
  EXPECT_EQ(state(pod), before);
}

TEST_F(DelegatedIpam, TheDelegatesErrorComesThroughAndNothingIsLeft) {
  const json conf{{"ipam", host_local("10.210.0.0/30")}};
  const Pod first = node.add_pod("first", conf);
  const Pod pod("pod");
  const auto before = state(pod);

  EXPECT_TRUE(failed(node.cni("ADD", pod, conf), 999, "host-local: "));

  EXPECT_EQ(state(pod), before);
}

TEST_F(DelegatedIpam, StaticGivesAddressesOfBothFamiliesAndRoutes) {
  const json conf{
      {"ipam",
       {{"type", "static"},
        {"addresses",
         {{{"address", "10.211.0.9/24"}, {"gateway", "10.211.0.1"}},
          {{"address", "fd00:211::9/64"}, {"gateway", "fd00:211::1"}}}},
        {"routes", {{{"dst", "0.0.0.0/0"}}, {{"dst", "198.51.100.0/24"}, {"gw", "10.211.0.254"}}}},
        {"dns", {{"nameservers", {"10.96.0.10"}}}}}}};
  const Pod pod("pod");

  const auto answer = node.cni("ADD", pod, conf);

  ASSERT_TRUE(ok(answer));
  EXPECT_EQ(answer.json["ips"][0]["address"], "10.211.0.9/24");
  EXPECT_EQ(answer.json["ips"][1]["address"], "fd00:211::9/64");
  EXPECT_EQ(answer.json["dns"]["nameservers"], json({"10.96.0.10"}));
  EXPECT_THAT(Node::must_run_in(pod.netns, {"ip", "route"}),
              testing::AllOf(HasSubstr("default via 10.211.0.1"),
                             HasSubstr("198.51.100.0/24 via 10.211.0.254")));
  EXPECT_TRUE(ok(ping(pod.netns, IpAddr::v4({10, 211, 0, 1}))));
  Node::must_run_in(pod.netns, {"ping", "-6", "-c", "1", "-W", "2", "fd00:211::1"});
  json with_result = conf;
  with_result["prevResult"] = answer.json;
  EXPECT_TRUE(ok(node.cni("CHECK", pod, with_result)));
  EXPECT_TRUE(ok(node.cni("DEL", pod, conf)));
}

/// A DHCP server, and Debian's dhcp plugin with its daemon.
class DhcpIpam : public DelegatedIpam {
 protected:
  DhcpIpam() {
    auto netlink = must(NetlinkSocket::open_in(node.netns.fd()));
    const auto bridge = must(ensure_bridge(netlink, "cni0", {{0x02, 0, 0, 0, 3, 1}}, 1500));
    must(create_veth(netlink, {.host_name = "dhcp",
                               .host_mac = {{0x02, 0, 0, 0, 3, 2}},
                               .bridge_ifindex = bridge.ifindex,
                               .pod_name = "eth0",
                               .pod_mac = {{0x02, 0, 0, 0, 3, 3}},
                               .pod_netns_fd = server_netns.fd(),
                               .mtu = 1500}));
    must(set_link_up(netlink, must(find_link(netlink, "dhcp")).value().ifindex));
    auto inside = must(NetlinkSocket::open_in(server_netns.fd()));
    const unsigned eth0 = must(find_link(inside, "eth0")).value().ifindex;
    must(ensure_address(inside, eth0, IpNet::parse("10.212.0.1/24").value()));
    must(set_link_up(inside, eth0));
    must(write_file_atomically(
        node.folder() / "udhcpd.conf",
        "start 10.212.0.50\nend 10.212.0.60\ninterface eth0\noption subnet 255.255.255.0\n"
        "option router 10.212.0.1\noption lease 3600\nlease_file " +
            (node.folder() / "udhcpd.leases").string() + "\npidfile " +
            (node.folder() / "udhcpd.pid").string() + "\n"));
    must(write_file_atomically(node.folder() / "udhcpd.leases", ""));
    server.emplace(
        Command{.argv = {"busybox", "udhcpd", "-f", (node.folder() / "udhcpd.conf").string()},
                .netns_fd = server_netns.fd()});
    daemon.emplace(Command{.argv = {std::string(kReferencePlugins) + "/dhcp", "daemon",
                                    "-socketpath", socket().string()},
                           .netns_fd = node.netns.fd()});
    if (!eventually([&] { return fs::exists(socket()); }))
      throw std::runtime_error("dhcp daemon: " + daemon->err());
  }
  [[nodiscard]] fs::path socket() const { return node.folder() / "dhcp.sock"; }

  NetNs server_netns{"dhcp-server"};
  std::optional<Process> server;
  std::optional<Process> daemon;
};

TEST_F(DhcpIpam, GivesAnAddressAndTheNetworksOwnRouterStaysTheGateway) {
  const json conf{{"ipam", {{"type", "dhcp"}, {"daemonSocketPath", socket()}}}};

  const Pod pod = node.add_pod("pod", conf);

  EXPECT_TRUE(IpNet::parse("10.212.0.0/24")->contains(pod.address)) << pod.address.str();
  EXPECT_TRUE(ok(ping(pod.netns, IpAddr::v4({10, 212, 0, 1}))));
  EXPECT_THAT(node.must_run({"ip", "-4", "addr", "show", "dev", "cni0"}),
              testing::Not(HasSubstr("10.212.0.1/")));
  EXPECT_TRUE(ok(node.cni("DEL", pod, conf)));
}

/// A delegate that is a script: it notes each call, and `body` answers it.
class ScriptedIpam : public DelegatedIpam {
 protected:
  void write_script(const std::string& body) const {
    const fs::path path = node.folder() / "bin" / "scripted";
    must(ensure_directory(path.parent_path()));
    must(write_file_atomically(path,
                               "#!/bin/sh\ninput=$(cat)\n"
                               "echo \"$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME $CNI_NETNS\" "
                               ">>" +
                                   calls_path().string() + "\nprintf %s \"$input\" >" +
                                   (node.folder() / "input").string() + "\n" + body,
                               0755));
  }
  [[nodiscard]] fs::path calls_path() const { return node.folder() / "calls"; }
  [[nodiscard]] std::vector<std::string> calls() const {
    std::istringstream text(read_file(calls_path()).value_or(""));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }
  [[nodiscard]] CniAnswer cni(const std::string& verb, const json& changes = json::object()) const {
    json conf{{"ipam", {{"type", "scripted"}, {"own", "key"}}}};
    conf.update(changes);
    CniCall call = node.call_for(verb, pod, conf);
    std::erase_if(call.env, [](const auto& entry) { return entry.starts_with("CNI_PATH="); });
    call.env.push_back("CNI_PATH=/nowhere::/etc:" + (node.folder() / "bin").string());
    return node.call(call);
  }

  const std::string kGivesAddress =
      "case $CNI_COMMAND in ADD) echo '{\"cniVersion\": \"1.1.0\", \"ips\": "
      "[{\"address\": \"10.213.0.7/24\"}]}';; esac\n";
  Pod pod{"pod"};
};

TEST_F(ScriptedIpam, IsExecutedForEachVerbWithTheWholeConfiguration) {
  write_script(kGivesAddress);
  const auto added = cni("ADD");
  ASSERT_TRUE(ok(added));
  EXPECT_EQ(json::parse(must(read_file(node.folder() / "input")))["ipam"]["own"], "key");

  EXPECT_TRUE(ok(cni("CHECK", {{"prevResult", added.json}})));
  EXPECT_TRUE(ok(cni("STATUS")));
  EXPECT_TRUE(ok(cni("GC", {{"cni.dev/valid-attachments", json::array()}})));
  EXPECT_TRUE(ok(cni("DEL")));

  const std::string attachment = " pod eth0 " + pod.netns.path();
  EXPECT_THAT(calls(),
              testing::ElementsAre("ADD" + attachment, "CHECK" + attachment, "STATUS" + attachment,
                                   "DEL pod eth0 ", "GC" + attachment, "DEL" + attachment));
}

TEST_F(ScriptedIpam, ThatIsKubeCniByAnotherNameIsRefused) {
  fs::create_directories(node.folder() / "bin");
  fs::create_symlink(program("kube-cni"), node.folder() / "bin" / "scripted");

  EXPECT_TRUE(failed(cni("ADD"), 7, "is kube-cni itself"));
}

TEST_F(ScriptedIpam, ThatLeadsBackToKubeCniIsRefused) {
  write_script("printf %s \"$input\" | exec " + program("kube-cni"));

  EXPECT_TRUE(failed(cni("ADD"), 7, "leads back to kube-cni"));

  EXPECT_THAT(calls(), testing::SizeIs(2)) << "ADD, and DEL after it";
}

TEST_F(ScriptedIpam, FailedAddIsFollowedByADel) {
  write_script(
      "case $CNI_COMMAND in ADD) echo '{\"code\": 11, \"msg\": \"later\"}'; exit 1;; esac\n");

  EXPECT_TRUE(failed(cni("ADD"), 11, "scripted: later"));

  const std::string attachment = " pod eth0 " + pod.netns.path();
  EXPECT_THAT(calls(), testing::ElementsAre("ADD" + attachment, "DEL" + attachment));
}

TEST_F(ScriptedIpam, GarbageAnswerIsAnError) {
  for (const char* answer : {"garbage", "[]", "{}", R"({"ips": [{"address": "10.0.0.1"}]})",
                             R"({"ips": {}})", R"({"ips": [{"address": "10.0.0.1/24"}]})"}) {
    write_script("test $CNI_COMMAND = ADD && echo '" + std::string(answer) + "'; exit 0");

    const auto failure = cni("ADD");

    EXPECT_NE(failure.status, 0) << answer;
    EXPECT_THAT(failure.msg(), HasSubstr("scripted")) << answer;
    EXPECT_THAT(node.must_run({"ip", "-br", "link"}), testing::Not(HasSubstr("veth"))) << answer;
  }
}

TEST_F(ScriptedIpam, SilentDeathIsAnError) {
  write_script("kill -9 $$");

  EXPECT_TRUE(failed(cni("ADD"), 101, "137"));
}

TEST_F(ScriptedIpam, HangingPluginDoesNotHoldStatusUp) {
  write_script("exec sleep 60");

  EXPECT_TRUE(failed(cni("STATUS"), 50, "500 ms"));
}

TEST_F(ScriptedIpam, StatusCodesOfTheSpecificationComeThrough) {
  write_script("echo '{\"code\": 51, \"msg\": \"limited\"}'; exit 1");

  EXPECT_TRUE(failed(cni("STATUS"), 51, "limited"));
}

}  // namespace
}  // namespace kubecni::test
