#include "config/settings.hpp"
#include "doctor/examine.hpp"
#include "net/bridge.hpp"
#include "net/link.hpp"
#include "net/netns.hpp"
#include "net/nftables.hpp"
#include "net/vxlan.hpp"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>
#include <thread>

namespace kubecni {

namespace {

constexpr unsigned kMtu = 1500;
constexpr std::uint16_t kPort = default_number("vxlanPort");

Finding judge(const std::string& subject, const Result<>& tried, Verdict otherwise,
              const std::string& without, const std::string& modules) {
  if (tried) return {subject, Verdict::kOk, "works", ""};
  const std::string found = without + " (" + tried.error().what + ")";
  if (tried.error().code == EPERM) return {subject, otherwise, found, "run it as root"};
  return {subject, otherwise, found, "modprobe -a " + modules + ", or use a kernel that has it"};
}

Result<> try_bridge(NetlinkSocket& netlink) {
  auto bridge = ensure_bridge(netlink, "bridge", MacAddr::random(), kMtu);
  return bridge ? Result<>() : fail(bridge);
}

Result<> try_veth(NetlinkSocket& netlink) {
  auto bridge = find_link(netlink, "bridge");
  if (!bridge) return fail(bridge);
  if (!*bridge) return failure(ENODEV, "there is no bridge to be a port of");
  auto own = open_netns("/proc/thread-self/ns/net");
  if (!own) return fail(own);
  return create_veth(netlink, {.host_name = "host",
                               .host_mac = MacAddr::random(),
                               .bridge_ifindex = (*bridge)->ifindex,
                               .pod_name = "pod",
                               .pod_mac = MacAddr::random(),
                               .pod_netns_fd = own->get(),
                               .mtu = kMtu});
}

Result<> try_vxlan(NetlinkSocket& netlink) {
  auto device = ensure_vxlan(
      netlink, {.name = "tunnel", .mac = MacAddr::random(), .port = kPort, .mtu = kMtu});
  return device ? Result<>() : fail(device);
}

Result<> try_rules(const std::string& rules) {
  auto nftables = Nftables::open();
  if (!nftables) return fail(nftables);
  return nftables->run(rules);
}

/// Runs on a separate thread: its namespace goes when it ends.
Findings try_here() {
  if (::unshare(CLONE_NEWNET) != 0)
    return {{"devices", Verdict::kUnknown,
             sys_error(errno, "make a network namespace").error().what,
             "run kube-cnictl doctor on the host, as root"}};
  auto netlink = NetlinkSocket::open();
  if (!netlink) return {{"devices", Verdict::kUnknown, netlink.error().what, ""}};
  Findings findings;
  findings.push_back(judge("bridge", try_bridge(*netlink), Verdict::kMissing,
                           "pods cannot be connected", "bridge"));
  findings.push_back(
      judge("veth", try_veth(*netlink), Verdict::kMissing, "pods cannot be connected", "veth"));
  findings.push_back(judge("vxlan", try_vxlan(*netlink), Verdict::kLimited,
                           "nodes that are on no link of this one are not reached", "vxlan"));
  findings.push_back(judge(
      "masquerade",
      try_rules(
          "table inet t {\nchain c {\ntype nat hook postrouting priority 0\nmasquerade\n}\n}\n"),
      Verdict::kLimited, "pods do not reach the outside with the node's address",
      "nf_tables nft_chain_nat nft_masq"));
  findings.push_back(judge(
      "bridge rules",
      try_rules("table bridge t {\nchain c {\ntype filter hook prerouting priority -300\n}\n}\n"),
      Verdict::kLimited, "on the kernel path pods' source addresses are not checked",
      "nf_tables nft_meta_bridge"));
  return findings;
}

}  // namespace

Findings try_devices_and_rules() {
  Findings findings;
  std::thread([&] { findings = try_here(); }).join();
  return findings;
}

}  // namespace kubecni
