// A pod with CAP_NET_RAW sends generated combinations of tags, protocols, header chains and
// senders. On both paths, others receive and learn only what is true.

#include "base/unique_fd.hpp"
#include "cluster.hpp"
#include "support/hostile_frames.hpp"
#include "support/traffic.hpp"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <map>
#include <set>

namespace kubecni::test {
namespace {

using nlohmann::json;

constexpr int kCaptureBytes = 64 << 20;

UniqueFd packet_socket(const NetNs& netns, const std::string& device, int protocol) {
  UniqueFd fd;
  netns.enter([&] {
    fd = UniqueFd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_ll at{};
    at.sll_family = AF_PACKET;
    at.sll_protocol = htons(static_cast<std::uint16_t>(protocol));
    at.sll_ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kCaptureBytes, sizeof(kCaptureBytes));
    if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)) != 0)
      throw std::runtime_error("no packet socket on " + device + " of " + netns.name());
  });
  return fd;
}

/// The cases that a device was sent, or sends on.
class Watch {
 public:
  Watch(const NetNs& netns, const std::string& device, bool outgoing)
      : name_(netns.name() + " " + device),
        outgoing_(outgoing),
        fd_(packet_socket(netns, device, ETH_P_ALL)) {}

  [[nodiscard]] const std::string& name() const { return name_; }

  const std::set<std::size_t>& cases() {
    std::array<std::uint8_t, 2048> frame;
    for (;;) {
      sockaddr_ll from{};
      socklen_t size = sizeof(from);
      const ssize_t got = ::recvfrom(fd_.get(), frame.data(), frame.size(), 0,
                                     reinterpret_cast<sockaddr*>(&from), &size);
      if (got <= 0) break;
      if ((from.sll_pkttype == PACKET_OUTGOING) != outgoing_) continue;
      const auto number = number_of(std::span(frame.data(), static_cast<std::size_t>(got)));
      if (number) cases_.insert(*number);
    }
    tpacket_stats lost{};
    socklen_t size = sizeof(lost);
    ::getsockopt(fd_.get(), SOL_PACKET, PACKET_STATISTICS, &lost, &size);
    if (lost.tp_drops != 0) throw std::runtime_error("the watch of " + name_ + " lost frames");
    return cases_;
  }

 private:
  std::string name_;
  bool outgoing_;
  UniqueFd fd_;
  std::set<std::size_t> cases_;
};

struct HostileMode {
  std::string dataplane;
  std::string mode;
};

class HostilePod : public testing::TestWithParam<HostileMode> {
 protected:
  HostilePod() {
    // Known neighbours cause no requests in between.
    for (const int family : {AF_INET, AF_INET6}) {
      must(ping(victim().netns, friendly.address_of(family)));
      must(ping(victim().netns, bad.address_of(family)));
      must(ping(friendly.netns, victim().address_of(family)));
      must(ping(victim().netns, cluster.pod_b->address_of(family)));
    }
    const std::array<const Pod*, 3> pods{&bad, &victim(), &friendly};
    if (!eventually([&] {
          return std::ranges::all_of(pods,
                                     [&](const Pod* pod) { return is_guarded(cluster.a, *pod); });
        }))
      throw std::runtime_error("the guard does not know the pods: " + cluster.daemon_a->err());
  }

  [[nodiscard]] Pod& victim() const { return *cluster.pod_a; }
  [[nodiscard]] static std::string mac_of(const NetNs& netns, const std::string& link) {
    return json::parse(Node::must_run_in(netns, {"ip", "-j", "link", "show", link}))[0]["address"];
  }
  [[nodiscard]] static Party party(const Pod& pod) {
    return {pod.netns.name(), mac_of(pod.netns, "eth0"), pod.address_of(AF_INET),
            pod.address_of(AF_INET6)};
  }
  [[nodiscard]] static bool has_bridge() { return GetParam().mode == "bridge"; }
  [[nodiscard]] std::string host_end(const Pod& pod) const {
    return cluster.a.attachment(pod).port.host_ifname;
  }
  [[nodiscard]] Stage stage() const {
    const Party victims = party(victim());
    const Party own = party(bad);
    const Party bridge{"gateway", cluster.a.attachment(bad).port.gateway_mac.str(),
                       cluster.a.gateway(AF_INET), cluster.a.gateway(AF_INET6)};
    Party reached = victims;
    if (!has_bridge()) reached.mac = bridge.mac;
    const Cluster::Member& other = cluster.member(1);
    return {.own = own,
            .victim = reached,
            .bridge = bridge,
            .others = {party(friendly),
                       {"another node", "", other.address_of(AF_INET), other.address_of(AF_INET6)},
                       {"outside", "", Underlay::outside_address(AF_INET),
                        Underlay::outside_address(AF_INET6)}},
            .macs = {own.mac, victims.mac, bridge.mac, "02:00:00:00:00:77"},
            .is_routed = !has_bridge()};
  }

  /// Sends all, then an honest packet by the same way, which arrives last.
  void send(const std::vector<HostileCase>& cases) const {
    const UniqueFd socket = packet_socket(bad.netns, "eth0", 0);
    for (const HostileCase& one : cases)
      for (const Frame& frame : one.frames)
        while (::send(socket.get(), frame.data(), frame.size(), 0) < 0 && errno == ENOBUFS) {
        }
    must(ping(bad.netns, victim().address_of(AF_INET)));
    must(ping(bad.netns, cluster.a.gateway(AF_INET)));
  }

  /// The neighbour entries that have a wrong MAC.
  [[nodiscard]] std::string wrong_neighbours(const NetNs& netns, const std::string& device) const {
    std::map<std::string, std::string> mac_of_address;
    const Stage all = stage();
    Party gateway = all.bridge;
    gateway.mac = cluster.a.attachment(victim()).port.gateway_mac.str();
    for (const Party& each : {all.own, party(victim()), gateway, all.others.front()}) {
      mac_of_address[each.v4.str()] = mac_of_address[each.v6.str()] = each.mac;
      mac_of_address[MacAddr::parse(each.mac).value().link_local().str()] = each.mac;
    }
    std::string wrong;
    const std::string list = Node::must_run_in(netns, {"ip", "-j", "neigh", "show", "dev", device});
    for (const json& entry : json::parse(list)) {
      if (entry.value("protocol", "") == "85") continue;  // of the node's own probe address
      const std::string mac = entry.value("lladdr", "");
      const auto known = mac_of_address.find(entry.at("dst"));
      if (!mac.empty() && (known == mac_of_address.end() || known->second != mac))
        wrong += entry.dump() + "\n";
    }
    return wrong;
  }

  static std::string routing_of(const NetNs& netns) {
    return Node::must_run_in(netns, {"sh", "-ec",
                                     "ip -4 route; ip -6 route | sed 's/ expires [0-9]*sec//';"
                                     " ip -o addr | sed 's/ *valid_lft.*//'"});
  }

  /// The device of the node that the victim's frames come from.
  [[nodiscard]] std::string device_of_victim() const {
    return has_bridge() ? "cni0" : host_end(victim());
  }
  [[nodiscard]] std::string fdb() const {
    return cluster.a.must_run({"sh", "-c", "bridge fdb | grep -v ' self ' || true"});
  }

  Cluster cluster{
      {.dataplane = GetParam().dataplane, .mode = GetParam().mode, .families = Families::kDual}};
  Pod bad = cluster.add_pod(cluster.a, "bad");
  Pod friendly = cluster.add_pod(cluster.a, "friendly");
};

TEST_P(HostilePod, OnlyItsHonestPacketsArrive) {
  const auto cases = hostile_cases(stage());
  const std::string fdb_before = fdb();
  const std::string routing = routing_of(victim().netns);
  Watch at_victim(victim().netns, "eth0", false);
  std::vector<Watch> watches;
  watches.emplace_back(friendly.netns, "eth0", false);
  watches.emplace_back(cluster.a.netns, "eth0", true);
  // What comes in on a host end is seen before anything judges it.
  if (has_bridge()) watches.emplace_back(cluster.a.netns, "cni0", false);

  send(cases);

  std::size_t lies = 0;
  const auto expect_honest = [&](Watch& watch) {
    for (const std::size_t number : watch.cases()) {
      if (cases.at(number).honest || ++lies > 20) continue;
      ADD_FAILURE() << watch.name() << " got: " << cases.at(number).name;
    }
  };
  expect_honest(at_victim);
  for (Watch& watch : watches) expect_honest(watch);
  for (std::size_t number = 0; number < cases.size(); ++number)
    EXPECT_TRUE(!cases[number].arrives || at_victim.cases().contains(number))
        << "lost: " << cases[number].name;
  EXPECT_GT(at_victim.cases().size(), 10u);
  EXPECT_EQ(wrong_neighbours(victim().netns, "eth0"), "");
  EXPECT_EQ(wrong_neighbours(cluster.a.netns, device_of_victim()), "");
  EXPECT_EQ(fdb(), fdb_before);
  EXPECT_EQ(routing_of(victim().netns), routing);
  for (const Pod* pod : {&friendly, &*cluster.pod_b})
    for (const int family : {AF_INET, AF_INET6})
      EXPECT_TRUE(ok(ping(victim().netns, pod->address_of(family)))) << pod->netns.name();
}

TEST_P(HostilePod, CannotNarrowThePathBetweenNodes) {
  const Stage all = stage();
  const IpAddr node_a = cluster.member(0).address_of(AF_INET);
  const IpAddr node_b = cluster.member(1).address_of(AF_INET);
  Frame about = ip_packet({.src = node_a.str(), .dst = node_b.str(), .dst_port = 8472});
  const std::array<std::uint8_t, 8> vxlan{8, 0, 0, 0, 0, 0, 84, 0};
  std::ranges::copy(vxlan, about.begin() + ETH_HLEN + 28);
  Frame body{0, 0, 0x02, 0x58};
  body.insert(body.end(), about.begin() + ETH_HLEN, about.end());
  Frame error = ip_packet({.dst_mac = all.bridge.mac,
                           .src_mac = all.own.mac,
                           .src = all.own.v4.str(),
                           .dst = node_a.str(),
                           .protocol = IPPROTO_ICMP,
                           .icmp_type = 3,
                           .icmp_body = body});
  error.at(ETH_HLEN + 21) = 4;
  error.at(ETH_HLEN + 22) = error.at(ETH_HLEN + 23) = 0;
  const auto sum = internet_checksum(std::span(error).subspan(ETH_HLEN + 20));
  error.at(ETH_HLEN + 22) = static_cast<std::uint8_t>(sum >> 8);
  error.at(ETH_HLEN + 23) = static_cast<std::uint8_t>(sum);

  const UniqueFd socket = packet_socket(bad.netns, "eth0", 0);
  ASSERT_EQ(::send(socket.get(), error.data(), error.size(), 0),
            static_cast<ssize_t>(error.size()));
  must(ping(bad.netns, cluster.a.gateway(AF_INET)));

  EXPECT_THAT(cluster.a.must_run({"ip", "route", "get", node_b.str()}),
              testing::Not(testing::HasSubstr("mtu")));
}

INSTANTIATE_TEST_SUITE_P(On, HostilePod,
                         testing::Values(HostileMode{"ebpf", "bridge"},
                                         HostileMode{"bridge", "bridge"},
                                         HostileMode{"ebpf", "ptp"}, HostileMode{"bridge", "ptp"}),
                         [](const auto& tested) {
                           return tested.param.dataplane + "_in_mode_" + tested.param.mode;
                         });

}  // namespace
}  // namespace kubecni::test
