#include "net/bridge.hpp"

#include "net/link_message.hpp"
#include "net/netlink_request.hpp"

#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>

namespace kubecni {

namespace {

const std::string kAliasWithUplink = std::string(kBridgeAlias) + ", uplink ";
constexpr auto kNeverRouter = static_cast<std::uint8_t>(MDB_RTR_TYPE_DISABLED);
constexpr auto kRouterByQuery = static_cast<std::uint8_t>(MDB_RTR_TYPE_TEMP_QUERY);

Result<> create_bridge(NetlinkSocket& netlink, const std::string& name, const MacAddr& mac,
                       unsigned mtu_bytes) {
  NetlinkRequest request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  request.put(IFLA_IFNAME, name);
  request.put(IFLA_ADDRESS, mac);
  request.put(IFLA_MTU, std::uint32_t{mtu_bytes});
  request.nest(IFLA_LINKINFO, [&] {
    request.put(IFLA_INFO_KIND, std::string("bridge"));
    request.nest(IFLA_INFO_DATA, [&] { request.put(IFLA_BR_MCAST_SNOOPING, std::uint8_t{0}); });
  });
  auto created = request.exchange(netlink, "create bridge " + name);
  // Another ADD has made it at the same time.
  if (!created && created.error().code == EEXIST) return {};
  return created;
}

/// Also if somebody else made the bridge, or enabled snooping later. A kernel without snooping does
/// not report it.
Result<> ensure_no_snooping(NetlinkSocket& netlink, const Link& bridge) {
  std::uint8_t snooping = 0;
  NetlinkRequest question(RTM_GETLINK, 0, ifinfomsg{.ifi_index = static_cast<int>(bridge.ifindex)});
  auto read =
      question.exchange(netlink, "read bridge " + bridge.name, [&](const nlmsghdr* message) {
        const Attributes<IFLA_MAX> attributes(message, static_cast<ifinfomsg*>(nullptr));
        const Attributes<IFLA_INFO_MAX> info(attributes[IFLA_LINKINFO]);
        snooping = Attributes<IFLA_BR_MAX>(info[IFLA_INFO_DATA]).u8(IFLA_BR_MCAST_SNOOPING);
      });
  if (!read || snooping == 0) return read;
  NetlinkRequest request(RTM_NEWLINK, 0, ifinfomsg{.ifi_index = static_cast<int>(bridge.ifindex)});
  request.nest(IFLA_LINKINFO, [&] {
    request.put(IFLA_INFO_KIND, std::string("bridge"));
    request.nest(IFLA_INFO_DATA, [&] { request.put(IFLA_BR_MCAST_SNOOPING, std::uint8_t{0}); });
  });
  return request.exchange(netlink, "switch multicast snooping of bridge " + bridge.name + " off");
}

struct PortState {
  BridgePort flags;
  std::uint8_t state = BR_STATE_DISABLED;
};

BridgePort flags_of(const Attributes<IFLA_BRPORT_MAX>& data) {
  return {.hairpin = data.u8(IFLA_BRPORT_MODE) != 0,
          .learning = data.u8(IFLA_BRPORT_LEARNING) != 0,
          .unicast_flood = data.u8(IFLA_BRPORT_UNICAST_FLOOD) != 0,
          .locked = data.u8(IFLA_BRPORT_LOCKED) != 0,
          .bpdu_guard = data.u8(IFLA_BRPORT_GUARD) != 0,
          .multicast_router = data.u8(IFLA_BRPORT_MULTICAST_ROUTER) != 0};
}

/// Empty if the link is not a port of a bridge.
std::optional<PortState> parse_port(const nlmsghdr* message) {
  const Attributes<IFLA_MAX> attributes(message, static_cast<ifinfomsg*>(nullptr));
  const Attributes<IFLA_INFO_MAX> info(attributes[IFLA_LINKINFO]);
  if (info.text(IFLA_INFO_SLAVE_KIND) != "bridge") return std::nullopt;
  const Attributes<IFLA_BRPORT_MAX> data(info[IFLA_INFO_SLAVE_DATA]);
  return PortState{.flags = flags_of(data), .state = data.u8(IFLA_BRPORT_STATE)};
}

Result<PortState> read_port(NetlinkSocket& netlink, unsigned ifindex) {
  std::optional<PortState> port;
  NetlinkRequest request(RTM_GETLINK, 0, ifinfomsg{.ifi_index = static_cast<int>(ifindex)});
  auto done = request.exchange(netlink, "read bridge port " + std::to_string(ifindex),
                               [&](const nlmsghdr* message) { port = parse_port(message); });
  if (!done) return fail(done);
  if (!port)
    return failure(EINVAL, "link " + std::to_string(ifindex) + " is not a port of a bridge");
  return *port;
}

/// `mode`: NLM_F_EXCL or NLM_F_REPLACE.
Result<> put_fdb_entry(NetlinkSocket& netlink, unsigned ifindex, const MacAddr& mac, int mode) {
  // NUD_NOARP is what bridge(8) calls "static": reached through this port, never aged.
  // NUD_PERMANENT would make it an address of the bridge itself. Sticky, or a port that learns,
  // like an uplink, would take the entry over with the first frame that has the MAC as its source.
  const ndmsg entry{.ndm_family = AF_BRIDGE,
                    .ndm_ifindex = static_cast<int>(ifindex),
                    .ndm_state = NUD_NOARP,
                    .ndm_flags = NTF_MASTER | NTF_STICKY};
  NetlinkRequest request(RTM_NEWNEIGH, NLM_F_CREATE | mode, entry);
  request.put(NDA_LLADDR, mac);
  return request.exchange(netlink,
                          "add FDB entry " + mac.str() + " on port " + std::to_string(ifindex));
}

}  // namespace

std::optional<BridgePort> parse_bridge_port(const nlmsghdr* message) {
  const auto* info = static_cast<const ifinfomsg*>(nlmsg_data(message));
  if (info->ifi_family != AF_BRIDGE) {
    const auto port = parse_port(message);
    return port ? std::optional(port->flags) : std::nullopt;
  }
  const Attributes<IFLA_MAX> attributes(message, info);
  if (!attributes[IFLA_PROTINFO]) return std::nullopt;
  return flags_of(Attributes<IFLA_BRPORT_MAX>(attributes[IFLA_PROTINFO]));
}

Result<Link> ensure_bridge(NetlinkSocket& netlink, const std::string& name, const MacAddr& mac,
                           unsigned mtu_bytes) {
  auto bridge = find_link(netlink, name);
  if (bridge && !*bridge) {
    if (auto created = create_bridge(netlink, name, mac, mtu_bytes); !created) return fail(created);
    // The kernel takes no alias in the request that creates a link.
    if (auto marked = mark_bridge_as_ours(netlink, name); !marked) return fail(marked);
    bridge = find_link(netlink, name);
  }
  if (!bridge) return fail(bridge);
  if (!*bridge) return failure(ENODEV, "bridge " + name + " was deleted while it was set up");
  if ((*bridge)->kind != "bridge")
    return failure(EEXIST, "link " + name +
                               " exists and is not a bridge; remove it, or set \"bridge\""
                               " to another name in the network configuration");
  if (!(*bridge)->up) {
    if (auto up = set_link_up(netlink, (*bridge)->ifindex); !up) return fail(up, name);
  }
  if (auto off = ensure_no_snooping(netlink, **bridge); !off) return fail(off);
  return **bridge;
}

Result<bool> ensure_bridge_meets_netfilter(NetlinkSocket& netlink, const Link& bridge) {
  const std::string what = "have bridge " + bridge.name + " hand its packets to netfilter";
  // The module's own; with it not loaded, the attributes can be set and do nothing.
  if (::access("/proc/sys/net/bridge/bridge-nf-call-iptables", F_OK) != 0)
    return failure(EOPNOTSUPP, what + ": br_netfilter is not loaded (modprobe br_netfilter)");
  bool is_set = false;
  NetlinkRequest question(RTM_GETLINK, 0, ifinfomsg{.ifi_index = static_cast<int>(bridge.ifindex)});
  auto read = question.exchange(netlink, what, [&](const nlmsghdr* message) {
    const Attributes<IFLA_MAX> attributes(message, static_cast<ifinfomsg*>(nullptr));
    const Attributes<IFLA_INFO_MAX> info(attributes[IFLA_LINKINFO]);
    const Attributes<IFLA_BR_MAX> settings(info[IFLA_INFO_DATA]);
    is_set =
        settings.u8(IFLA_BR_NF_CALL_IPTABLES) == 1 && settings.u8(IFLA_BR_NF_CALL_IP6TABLES) == 1;
  });
  if (!read) return fail(read);
  if (is_set) return false;
  NetlinkRequest request(RTM_NEWLINK, 0, ifinfomsg{.ifi_index = static_cast<int>(bridge.ifindex)});
  request.nest(IFLA_LINKINFO, [&] {
    request.put(IFLA_INFO_KIND, std::string("bridge"));
    request.nest(IFLA_INFO_DATA, [&] {
      request.put(IFLA_BR_NF_CALL_IPTABLES, std::uint8_t{1});
      request.put(IFLA_BR_NF_CALL_IP6TABLES, std::uint8_t{1});
    });
  });
  auto set = request.exchange(netlink, what);
  if (!set) return fail(set);
  return true;
}

bool has_our_alias(const Link& bridge) {
  return bridge.alias == kBridgeAlias || bridge.alias.starts_with(kAliasWithUplink);
}

std::string uplink_in_alias(const Link& bridge) {
  return bridge.alias.starts_with(kAliasWithUplink) ? bridge.alias.substr(kAliasWithUplink.size())
                                                    : "";
}

Result<> mark_bridge_as_ours(NetlinkSocket& netlink, const std::string& name,
                             const std::string& uplink) {
  NetlinkRequest request(RTM_NEWLINK, 0, ifinfomsg{});
  request.put(IFLA_IFNAME, name);
  request.put(IFLA_IFALIAS, uplink.empty() ? kBridgeAlias : kAliasWithUplink + uplink);
  return request.exchange(netlink, "give bridge " + name + " its alias");
}

bool has_derived_mac(const Link& bridge, const std::vector<LinkAddress>& addresses) {
  return std::ranges::any_of(addresses, [&](const LinkAddress& address) {
    return address.ifindex == bridge.ifindex &&
           bridge.mac == MacAddr::derived_from(address.net.addr);
  });
}

Result<> set_link_mac(NetlinkSocket& netlink, unsigned ifindex, const MacAddr& mac) {
  NetlinkRequest request(RTM_NEWLINK, 0, ifinfomsg{.ifi_index = static_cast<int>(ifindex)});
  request.put(IFLA_ADDRESS, mac);
  return request.exchange(netlink,
                          "give link " + std::to_string(ifindex) + " the MAC " + mac.str());
}

Result<> set_bridge_port_up(NetlinkSocket& netlink, unsigned ifindex, const BridgePort& port) {
  NetlinkRequest request(
      RTM_NEWLINK, 0,
      ifinfomsg{.ifi_index = static_cast<int>(ifindex), .ifi_flags = IFF_UP, .ifi_change = IFF_UP});
  request.nest(IFLA_LINKINFO, [&] {
    request.put(IFLA_INFO_SLAVE_KIND, std::string("bridge"));
    request.nest(IFLA_INFO_SLAVE_DATA, [&] {
      request.put(IFLA_BRPORT_MODE, std::uint8_t{port.hairpin});
      request.put(IFLA_BRPORT_LEARNING, std::uint8_t{port.learning});
      request.put(IFLA_BRPORT_UNICAST_FLOOD, std::uint8_t{port.unicast_flood});
      request.put(IFLA_BRPORT_LOCKED, std::uint8_t{port.locked});
      request.put(IFLA_BRPORT_GUARD, std::uint8_t{port.bpdu_guard});
      request.put(IFLA_BRPORT_MULTICAST_ROUTER,
                  std::uint8_t{port.multicast_router ? kRouterByQuery : kNeverRouter});
    });
  });
  return request.exchange(netlink, "set up bridge port " + std::to_string(ifindex));
}

Result<BridgePort> get_bridge_port(NetlinkSocket& netlink, unsigned ifindex) {
  auto port = read_port(netlink, ifindex);
  if (!port) return fail(port);
  return port->flags;
}

Result<> await_bridge_port(NetlinkSocket& netlink, unsigned ifindex) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (true) {
    auto port = read_port(netlink, ifindex);
    if (!port) return fail(port);
    // The spanning tree protocol has more states, and takes its own time.
    if (port->state != BR_STATE_DISABLED || std::chrono::steady_clock::now() >= end) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

Result<std::map<unsigned, BridgePort>> list_bridge_ports(NetlinkSocket& netlink) {
  std::map<unsigned, BridgePort> ports;
  NetlinkRequest request(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
  auto done = request.dump(
      netlink, "list bridge ports", [&] { ports.clear(); },
      [&](const nlmsghdr* message) {
        const auto* info = static_cast<const ifinfomsg*>(nlmsg_data(message));
        if (const auto port = parse_port(message))
          ports.emplace(static_cast<unsigned>(info->ifi_index), port->flags);
      });
  if (!done) return fail(done);
  return ports;
}

Result<> ensure_fdb_entry(NetlinkSocket& netlink, unsigned ifindex, const MacAddr& mac) {
  auto added = put_fdb_entry(netlink, ifindex, mac, NLM_F_EXCL);
  if (added || added.error().code != EEXIST) return added;
  auto port = find_link(netlink, ifindex);
  if (!port) return fail(port);
  if (!*port) return failure(ENODEV, "link " + std::to_string(ifindex) + " is gone");
  auto fdb = list_fdb(netlink);
  if (!fdb) return fail(fdb);
  const auto holder = std::ranges::find_if(*fdb, [&](const FdbEntry& entry) {
    return entry.bridge_ifindex == (*port)->master_ifindex && entry.mac == mac;
  });
  if (holder == fdb->end() || (holder->ifindex == ifindex && !holder->is_local))
    return put_fdb_entry(netlink, ifindex, mac, NLM_F_REPLACE);  // gone again, or learned here
  auto other = find_link(netlink, holder->ifindex);
  if (!other) return fail(other);
  return failure(EADDRINUSE,
                 "MAC " + mac.str() + " is taken on the bridge, by " +
                     (*other ? (*other)->name : "link " + std::to_string(holder->ifindex)));
}

Result<> ensure_own_fdb_entry(NetlinkSocket& netlink, const Link& bridge) {
  const ndmsg entry{.ndm_family = AF_BRIDGE,
                    .ndm_ifindex = static_cast<int>(bridge.ifindex),
                    .ndm_state = NUD_PERMANENT,
                    .ndm_flags = NTF_SELF};
  NetlinkRequest request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, entry);
  request.put(NDA_LLADDR, bridge.mac);
  auto added = request.exchange(
      netlink, "add FDB entry " + bridge.mac.str() + " of bridge " + bridge.name + " itself");
  if (!added && added.error().code == EEXIST) return {};
  return added;
}

bool has_own_fdb_entry(const std::vector<FdbEntry>& fdb, const Link& bridge) {
  return std::ranges::any_of(fdb, [&](const FdbEntry& entry) {
    return entry.bridge_ifindex == bridge.ifindex && entry.mac == bridge.mac && entry.is_local;
  });
}

Result<std::vector<FdbEntry>> list_fdb(NetlinkSocket& netlink) {
  std::vector<FdbEntry> all;
  NetlinkRequest request(RTM_GETNEIGH, NLM_F_DUMP, ndmsg{.ndm_family = AF_BRIDGE});
  auto done = request.dump(
      netlink, "list FDB", [&] { all.clear(); },
      [&](const nlmsghdr* message) {
        const auto* entry = static_cast<const ndmsg*>(nlmsg_data(message));
        const Attributes<NDA_MAX> attributes(message, entry);
        const auto mac = attributes.mac(NDA_LLADDR);
        const unsigned bridge = attributes.u32(NDA_MASTER);
        if (!mac || (entry->ndm_flags & NTF_SELF && !bridge)) return;
        all.push_back({.bridge_ifindex = bridge,
                       .ifindex = static_cast<unsigned>(entry->ndm_ifindex),
                       .mac = *mac,
                       .is_static = (entry->ndm_state & NUD_NOARP) != 0,
                       .is_local = (entry->ndm_state & NUD_PERMANENT) != 0});
      });
  if (!done) return fail(done);
  return all;
}

Result<bool> has_fdb_entry(NetlinkSocket& netlink, unsigned ifindex, const MacAddr& mac) {
  auto fdb = list_fdb(netlink);
  if (!fdb) return fail(fdb);
  return std::ranges::any_of(*fdb, [&](const FdbEntry& entry) {
    return entry.ifindex == ifindex && entry.mac == mac && entry.is_static;
  });
}

}  // namespace kubecni
