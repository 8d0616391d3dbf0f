// Each thing of the list in userspace/state/inventory.hpp is taken away under running pods: it
// comes back, and what is wrong meanwhile is said.

#include "base/file.hpp"
#include "cluster.hpp"
#include "damage.hpp"
#include "state/daemon_status.hpp"
#include "state/files.hpp"
#include "state/inventory.hpp"
#include "support/program.hpp"
#include "support/temp_dir.hpp"
#include "support/traffic.hpp"

#include <sys/socket.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <set>

namespace kubecni::test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// The daemon promises 15 s, on a machine that runs no other tests.
constexpr std::chrono::seconds kLimit{45};

/// The node that loses something, with one of its pods.
struct Site {
  const Node& node;
  const Pod& pod;
  std::string host;  ///< the pod's host end
  std::string mac;   ///< the pod's

  [[nodiscard]] std::string sh(const std::string& script) const {
    return node.must_run({"sh", "-ec", script});
  }
  [[nodiscard]] std::string sysctl(const std::string& name) const {
    std::string value;
    node.netns.enter([&] { value = must(read_file("/proc/sys/" + name)); });
    return value;
  }
  /// The names of the pinned links that begin with `device`.
  [[nodiscard]] std::string links_of(const std::string& device) const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(PinPaths(node.bpffs()).links))
      if (const std::string name = entry.path().filename(); name.starts_with(device))
        names.insert(name);
    std::string text;
    for (const auto& name : names) text += name + " ";
    return text;
  }
};

using Take = std::function<void(const Site&)>;
using Look = std::function<std::string(const Site&)>;

struct Loss {
  std::string_view thing;  ///< its name in kMadeThings
  Take take;
  Look look;                   ///< at the thing; afterwards it has to be as before
  std::string check = "";      ///< what CHECK fails with meanwhile; empty: it is not the pod's
  std::string endpoints = "";  ///< what `kube-cnictl endpoints` says meanwhile

  friend void PrintTo(const Loss& loss, std::ostream* out) { *out << loss.thing; }
};

Take run(const std::string& script) {
  return [script](const Site& site) { (void)site.sh(script); };
}

/// For scripts that need the pod's host end as $H, and its MAC as $M.
Take run_for_pod(const std::string& script) {
  return [script](const Site& site) {
    (void)site.sh("H=" + site.host + "; M=" + site.mac + "; " + script);
  };
}

Look shown(const std::string& script) {
  return [script](const Site& site) {
    return site.sh("H=" + site.host + "; M=" + site.mac + "; " + script);
  };
}

Take set(const std::string& sysctl, const std::string& value) {
  return [=](const Site& site) { site.node.set_sysctl(sysctl, value); };
}

Look value_of(const std::string& sysctl) {
  return [=](const Site& site) { return site.sysctl(sysctl); };
}

Look links_of(const std::string& device) {
  return [device](const Site& site) { return site.links_of(device.empty() ? site.host : device); };
}

template <typename Map>
std::string keys_of(Map& map) {
  std::string text;
  for (const auto& [key, value] : must(map.entries())) text += key.str() + " ";
  return text;
}

fs::path record_of(const Site& site) {
  return site.node.state_dir() / kAttachmentsFolder / "pods" / (site.pod.container_id + ":eth0");
}

const std::vector<Loss>& losses() {
  static const std::vector<Loss> all{
      {"host end", run_for_pod("ip link set $H down"),
       shown("ip -o link show dev $H | grep -o '[<,]UP[,>]'"), "is down", "is down"},
      {"bridge port", run_for_pod("ip link set $H nomaster"),
       shown("ip -o link show dev $H | grep -o 'master cni0'"), "is not a port of bridge cni0",
       "is not a port of bridge cni0"},
      {"port settings", run_for_pod("bridge link set dev $H hairpin off learning on"),
       shown(
           "bridge -d link show dev $H | grep -oE '(hairpin|learning|flood|locked|guard) o[nf]*'"),
       "lost its settings", "lost its settings"},
      {"pod FDB entry", run_for_pod("bridge fdb del $M dev $H master"),
       shown("bridge fdb show br cni0 | grep \"$M dev $H .*static\""), "lost its FDB entry",
       "lost its FDB entry"},
      {"pod neighbours", run("ip neigh flush dev cni0 nud permanent"),
       shown("ip neigh show proto 84 dev cni0 | sort"), "lost its neighbour", "lost its neighbour"},
      {"pod programs", [](const Site& site) { detach_programs(site.node); }, links_of(""),
       "is not attached", "is not attached"},
      {"endpoint entry",
       [](const Site& site) {
         must(site.node.dataplane().pods.endpoints.endpoints().erase(
             site.node.endpoint_key(site.pod)));
       },
       [](const Site& site) {
         auto dataplane = site.node.dataplane();
         const auto key = site.node.endpoint_key(site.pod);
         const auto found = must(dataplane.pods.endpoints.endpoints().find(key));
         return found ? "READY " + std::to_string(found->flags) : "";
       },
       "has no entry for", "has no entry for"},
      {"pod_ifaces entry",
       [](const Site& site) {
         auto dataplane = site.node.dataplane();
         for (const auto& [ifindex, iface] : must(dataplane.pods.endpoints.pod_ifaces().entries()))
           must(dataplane.pods.endpoints.pod_ifaces().erase(ifindex));
       },
       [](const Site& site) {
         auto dataplane = site.node.dataplane();
         return std::to_string(must(dataplane.pods.endpoints.pod_ifaces().entries()).size());
       },
       "pod_ifaces has no entry", "pod_ifaces has no entry"},
      {"host ports", run("nft flush map inet kube-cni-hostports ports4"),
       shown("nft list map inet kube-cni-hostports ports4 | grep 'tcp . 18080'"),
       "the host's tcp port 18080 does not lead to"},
      {"receive limit", run_for_pod("tc qdisc del dev $H root"),
       shown("tc qdisc show dev $H root | grep -o 'tbf [0-9a-f]*: root .*' | sed 's/tbf "
             "[0-9a-f]*/tbf/'"),
       "what the pod receives is not limited", "what the pod receives is not limited"},
      {"send limit", run_for_pod("ip link del ifb${H#veth}"),
       shown("tc qdisc show dev ifb${H#veth} root | grep -o 'tbf [0-9a-f]*: root .*' | sed 's/tbf "
             "[0-9a-f]*/tbf/';"
             " tc filter show dev $H ingress | grep -o \"Redirect to device ifb${H#veth}\""),
       "what the pod sends is not limited", "what the pod sends is not limited"},
      {"policy entries",
       [](const Site& site) {
         (void)site.sh("nft delete element inet kube-cni-policy known4 '{ " +
                       site.pod.address.str() + " }'");
       },
       [](const Site& site) {
         return site.sh("nft list set inet kube-cni-policy known4 | grep -ow " +
                        site.pod.address.str());
       },
       "", "its network policies are not in force"},
      {"attachment record", [](const Site& site) { fs::remove(record_of(site)); },
       [](const Site& site) { return must(read_file(record_of(site))); }, ""},
      {"lease", [](const Site& site) { fs::remove_all(site.node.state_dir() / kLeasesFolder); },
       [](const Site& site) {
         return must(read_file(site.node.state_dir() / kLeasesFolder / "pods" / "by-address" /
                               site.pod.address.str()));
       },
       "the lease of"},
      {"bridge", run("ip link del cni0"),
       shown("ip -o link show dev cni0 | grep -o 'ether [0-9a-f:]*'"), "",
       "bridge cni0 is missing"},
      {"uplink port", run("ip link set up0 nomaster"),
       shown("ip -o link show dev up0 | grep -o 'master lan0'"), ""},
      {"bridge state", run("ip link set cni0 down"),
       shown("ip -o link show dev cni0 | grep -o '[<,]UP[,>]'"), "", "bridge cni0 is down"},
      {"bridge MAC", run("ip link set cni0 address 02:00:00:00:00:99"),
       shown("ip -o link show dev cni0 | grep -o 'ether [0-9a-f:]*'"), "", "the pod knows it as"},
      {"bridge FDB entry", run("bridge fdb flush dev cni0"),
       shown("bridge fdb show br cni0 | grep -E 'dev cni0 .*permanent|static' | grep 0a:58 | sort"),
       "", "the FDB entry of its own MAC"},
      {"gateway address", run("ip addr del 10.200.1.1/24 dev cni0"),
       shown("ip -4 -o addr show dev cni0 | grep -o 'inet [0-9./]*'"), "", "lost its address"},
      {"multicast snooping", run("ip link set cni0 type bridge mcast_snooping 1"),
       shown("ip -d -o link show dev cni0 | grep -o 'mcast_snooping [01]'"), ""},
      {"policy hooks", run("ip link set cni0 type bridge nf_call_iptables 0"),
       shown("ip -d -o link show dev cni0 | grep -o 'nf_call_iptables [01]'"), ""},
      {"node forwarding", set("net/ipv4/ip_forward", "0"), value_of("net/ipv4/ip_forward"), "",
       "net/ipv4/ip_forward=0"},
      {"bridge forwarding", set("net/ipv4/conf/cni0/forwarding", "0"),
       value_of("net/ipv4/conf/cni0/forwarding"), "", "net/ipv4/conf/cni0/forwarding=0"},
      {"NIC forwarding", set("net/ipv4/conf/eth0/forwarding", "0"),
       value_of("net/ipv4/conf/eth0/forwarding"), ""},
      {"conntrack settings", set("net/netfilter/nf_conntrack_tcp_be_liberal", "0"),
       value_of("net/netfilter/nf_conntrack_tcp_be_liberal"), ""},
      {"bridge netfilter", set("net/bridge/bridge-nf-call-iptables", "0"),
       value_of("net/bridge/bridge-nf-call-iptables"), ""},
      {"localhost ports", set("net/ipv4/conf/cni0/route_localnet", "0"),
       value_of("net/ipv4/conf/cni0/route_localnet"), ""},
      {"node routes", run("ip route flush table main proto 84"),
       shown("ip route show table main proto 84 | sort"), ""},
      {"route to nobody", run("ip route flush type unreachable proto 84"),
       shown("ip route show type unreachable proto 84"), ""},
      {"proxies",
       run("ip neigh show proxy dev cni0 | while read -r pod rest; do"
           " ip neigh del proxy $pod dev cni0; done"),
       shown("ip neigh show proxy dev cni0"), ""},
      {"node rule", run("ip rule del pref 8400"), shown("ip rule show pref 8400"), ""},
      {"ways back",
       run("while ip rule del pref 8300 2>/dev/null; do :; done; ip route flush table 86;"
           " sysctl -qw net.ipv4.conf.eth0.src_valid_mark=0"),
       shown("ip rule show pref 8300 | grep . && ip route show table 86 &&"
             " sysctl -n net.ipv4.conf.eth0.src_valid_mark"),
       ""},
      {"tunnel device", run("ip link del kcni.vxlan"),
       shown("ip -d -o link show dev kcni.vxlan | grep -o 'dstport [0-9]*'"), ""},
      {"tunnel neighbours", run("ip neigh flush dev kcni.vxlan nud permanent"),
       shown("ip neigh show nud permanent dev kcni.vxlan | sort"), ""},
      {"wire programs", [](const Site& site) { detach_programs(site.node); }, links_of("eth0"), ""},
      {"tunnel programs", [](const Site& site) { detach_programs(site.node); },
       links_of("kcni:vxlan"), ""},
      {"node map entries", [](const Site& site) { empty_maps(site.node); },
       [](const Site& site) {
         auto dataplane = site.node.dataplane();
         return keys_of(dataplane.node_cidrs);
       },
       ""},
      {"tunnel peer entries", [](const Site& site) { empty_maps(site.node); },
       [](const Site& site) {
         auto dataplane = site.node.dataplane();
         return keys_of(dataplane.tunnel_peers);
       },
       ""},
      {"cluster network",
       [](const Site& site) { must(site.node.dataplane().node_config.set_cluster_network(0)); },
       [](const Site& site) {
         return std::to_string(must(site.node.dataplane().node_config.cluster_network()));
       },
       ""},
      // Without fq nothing is there to take away, and what does not belong there goes.
      // pacing_test.cpp has the rest.
      {"pacers",
       [](const Site& site) {
         auto dataplane = site.node.dataplane();
         must(dataplane.pacing_devices.set(1, 1));
         must(dataplane.node_config.set_has_pacers(true));
       },
       [](const Site& site) {
         auto dataplane = site.node.dataplane();
         return std::to_string(must(dataplane.pacing_devices.entries()).size()) +
                std::to_string(must(dataplane.node_config.read()).has_pacers);
       },
       ""},
      {"pins", [](const Site& site) { fs::remove_all(site.node.bpffs()); }, links_of(""), "",
       "eBPF dataplane"},
      {"node nftables table", run("nft delete table inet kube-cni"),
       shown("nft -s list table inet kube-cni"), ""},
      {"pod nftables table", run("nft delete table bridge kube-cni"),
       shown("nft -s list table bridge kube-cni"), ""},
      {"host port table", run("nft flush ruleset"),
       shown("nft -s list table inet kube-cni-hostports"), ""},
      {"forward rules", run("nft flush chain ip filter FORWARD"),
       shown("nft list chain ip filter FORWARD | grep -o 'accept comment .*'"), ""},
      {"policy table", run("nft delete table inet kube-cni-policy"),
       // The order of elements is any.
       shown("nft -s list table inet kube-cni-policy | tr -s ' ,{}\\t' '\\n' | sort"), "",
       "its network policies are not in force"},
      {"probe port", run("ip link del kcni.probe"),
       shown("ip -o link show dev kcni.probe | grep -o 'master cni0'"), ""},
      {"node.json", [](const Site& site) { fs::remove(site.node.state_dir() / kNodeFile); },
       [](const Site& site) { return must(read_file(site.node.state_dir() / kNodeFile)); }, ""},
      {"policy namespaces",
       [](const Site& site) { fs::remove(site.node.state_dir() / kPoliciesFile); },
       [](const Site& site) { return must(read_file(site.node.state_dir() / kPoliciesFile)); }, ""},
      {"run folder", [](const Site& site) { fs::remove_all(site.node.run_dir()); },
       [](const Site& site) {
         const fs::path run_dir = site.node.run_dir();
         return std::string(fs::exists(run_dir / kDaemonLock) ? "lock " : "") +
                (fs::exists(run_dir / kStatusFile) ? "status " : "") +
                (fs::exists(run_dir / kPolicyStatusFile) ? "policies" : "");
       },
       ""},
  };
  return all;
}

class TakenAway : public testing::TestWithParam<Loss> {
 protected:
  TakenAway() {
    json wanted = kWanted;
    if (is_of_limits())
      wanted["runtimeConfig"]["bandwidth"] = {{"ingressRate", 80'000'000},
                                              {"egressRate", 80'000'000}};
    CniCall call = cluster.a.call_for("ADD", pod, wanted);
    if (is_of_policies())
      for (std::string& variable : call.env)
        if (variable == "CNI_ARGS=")
          variable = "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web";
    added = cluster.a.call(call);
    if (added.status != 0) throw std::runtime_error("ADD: " + added.msg());
    if (GetParam().thing == "proxies")
      routed.emplace(cluster.a.add_pod("routed", {{"mode", "ptp"}}));
    if (GetParam().thing == "uplink port") {
      (void)site.sh("ip link add up0 type veth peer name up1; ip link set up1 up");
      in_uplink.emplace(cluster.a.add_pod("in-uplink", {{"name", "lan"},
                                                        {"bridge", "lan0"},
                                                        {"uplink", "up0"},
                                                        {"network", nullptr},
                                                        {"subnet", "198.18.0.0/24"},
                                                        {"ipam", nullptr}}));
    }
    const PodPort port = cluster.a.attachment(pod).port;
    pod.address = port.addresses.front().net.addr;
    site.host = port.host_ifname;
    site.mac = port.pod_mac.str();
    if (is_of_policies()) write_objects(policy_for_the_pod());
    if (GetParam().thing == "ways back")
      cluster.a.must_run(
          {"sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=1"});
    if (GetParam().thing == "forward rules")  // the daemon makes them only for such a chain
      (void)site.sh(
          "nft add table ip filter; nft add chain ip filter FORWARD "
          "'{ type filter hook forward priority filter; policy drop; }'");
  }

  static bool is_of_limits() { return GetParam().thing.ends_with(" limit"); }
  static bool is_of_policies() { return GetParam().thing.starts_with("policy "); }

  /// The daemons' --policy-file.
  std::string write_objects(const json& items) const {
    must(write_file_atomically(folder / "policies.json",
                               json{{"kind", "List"}, {"items", items}}.dump()));
    return folder / "policies.json";
  }
  /// One that isolates the pod, and lets everything in.
  [[nodiscard]] json policy_for_the_pod() const {
    const std::string address = pod.address.str();
    return json::array(
        {{{"kind", "Namespace"}, {"metadata", {{"name", "shop"}}}},
         {{"kind", "Pod"},
          {"metadata", {{"name", "web"}, {"namespace", "shop"}}},
          {"status", {{"podIP", address}, {"podIPs", json::array({json{{"ip", address}}})}}}},
         {{"kind", "NetworkPolicy"},
          {"metadata", {{"name", "open"}, {"namespace", "shop"}}},
          {"spec",
           {{"policyTypes", json::array({"Ingress"})},
            {"ingress", json::array({json::object()})}}}}});
  }

  bool are_policies_in_force() {
    try {
      return site.sh("nft list set inet kube-cni-policy known4").contains(pod.address.str());
    } catch (const std::exception&) {
      return false;  // there is no table yet
    }
  }

  /// What it looks like; empty while it is not there.
  std::string look() {
    try {
      return GetParam().look(site);
    } catch (const std::exception&) {
      return "";
    }
  }

  json kube_cnictl(const std::string& command) {
    const auto out = must_run({.argv = {program("kube-cnictl"), command, "-o", "json",
                                        "--state-dir", cluster.a.state_dir(), "--run-dir",
                                        cluster.a.run_dir(), "--bpffs", cluster.a.bpffs()},
                               .netns_fd = cluster.a.netns.fd()});
    return json::parse(out);
  }

  void expect_is_said() {
    json conf = kWanted;
    conf["prevResult"] = added.json;
    const auto checked = cluster.a.cni("CHECK", pod, conf);
    const auto& [check, endpoints] = std::tie(GetParam().check, GetParam().endpoints);
    EXPECT_TRUE(check.empty() ? ok(checked) : failed(checked, 100, check));
    EXPECT_THAT(kube_cnictl("endpoints").dump(), testing::HasSubstr(endpoints));
  }

  /// Whether the daemon has seen the pod.
  bool is_known() {
    return site.sh("nft list table bridge kube-cni").find(site.host) != std::string::npos;
  }

  bool all_is_well() {
    const json status = kube_cnictl("status");
    return status["daemon"].is_object() && status["daemon"]["running"] == true &&
           status["daemon"]["errors"].empty() &&
           status["podsOnKernelPath"].size() == (is_of_limits() ? 1 : 0);
  }

  bool reaches_all() {
    const auto reaches = [&](const IpAddr& to) {
      return ping(pod.netns, to, std::nullopt, std::chrono::seconds(1)).has_value();
    };
    return reaches_host_port() && reaches(cluster.a.gateway()) && reaches(cluster.pod_a->address) &&
           reaches(cluster.pod_b->address) && reaches(cluster.member(2).pod->address);
  }

  /// The pod's own, by the node's address, from another node.
  bool reaches_host_port() const {
    return TcpTransfer({.client = cluster.b.netns,
                        .server = pod.netns,
                        .to = cluster.member(0).address_of(AF_INET),
                        .port = 18080,
                        .server_port = 80,
                        .bytes = 1000,
                        .deadline = std::chrono::seconds(2)})
        .finish()
        .has_value();
  }

  TempDir folder;
  // A direct peer, and one behind the tunnel.
  Cluster cluster{{.topology = Topology::kMixed,
                   .daemon_options = {"--policy-file", write_objects(json::array()), "--mode",
                                      GetParam().thing == "route to nobody" ? "ptp" : "bridge"}}};
  const json kWanted{
      {"subnet", nullptr},
      {"ipam", nullptr},
      {"runtimeConfig", {{"portMappings", {{{"hostPort", 18080}, {"containerPort", 80}}}}}}};
  Pod pod{"pod"};
  std::optional<Pod> in_uplink;  ///< another pod, of a network with an uplink
  std::optional<Pod> routed;     ///< another pod, in mode ptp
  CniAnswer added;
  Site site{cluster.a, pod, "", ""};
};

TEST_P(TakenAway, ComesBackAndIsSaidMeanwhile) {
  ASSERT_TRUE(eventually([&] { return is_known() && reaches_all() && all_is_well(); }, kLimit));
  ASSERT_TRUE(eventually([&] { return !look().empty(); }, kLimit));
  ASSERT_TRUE(eventually([&] { return !is_of_policies() || are_policies_in_force(); }, kLimit));
  const std::string right = look();

  cluster.daemon_a->signal(SIGSTOP);
  GetParam().take(site);
  if (!GetParam().check.empty() || !GetParam().endpoints.empty()) expect_is_said();
  cluster.daemon_a->signal(SIGCONT);

  EXPECT_TRUE(eventually([&] { return look() == right; }, kLimit))
      << look() << "\ninstead of\n"
      << right << cluster.daemon_a->err();
  EXPECT_TRUE(eventually([&] { return reaches_all(); }, kLimit)) << cluster.daemon_a->err();
  EXPECT_TRUE(eventually([&] { return all_is_well(); }, kLimit)) << kube_cnictl("status").dump(1);
}

std::string name_of_loss(const testing::TestParamInfo<Loss>& tested) {
  std::string name(tested.param.thing);
  std::erase_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
  return name;
}

INSTANTIATE_TEST_SUITE_P(Each, TakenAway, testing::ValuesIn(losses()), name_of_loss);

TEST(TakenAwayList, HasEachThingThatTheDaemonBringsBack) {
  std::set<std::string_view> made, taken;
  for (const MadeThing& thing : kMadeThings)
    if (thing.restored_by == kByDaemon) made.insert(thing.name);
  for (const Loss& loss : losses()) taken.insert(loss.thing);

  EXPECT_EQ(taken, made);
}

}  // namespace
}  // namespace kubecni::test
