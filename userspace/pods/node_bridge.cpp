#include "pods/node_bridge.hpp"

#include "dataplane/kernel_path.hpp"
#include "net/bridge.hpp"

#include <algorithm>
#include <optional>

namespace kubecni {

namespace {

/// The bridge's MACs that its pods know.
std::vector<MacAddr> known_macs(const std::vector<Attachment>& attachments,
                                const std::string& bridge) {
  std::vector<MacAddr> known;
  for (const Attachment& attachment : attachments)
    if (attachment.port.bridge == bridge && attachment.port.gateway_mac != MacAddr{})
      known.push_back(attachment.port.gateway_mac);
  return known;
}

std::optional<MacAddr> first_of(const std::vector<MacAddr>& macs) {
  return macs.empty() ? std::nullopt : std::optional(macs.front());
}

}  // namespace

Result<Link> ensure_bridge_of_pods(NetlinkSocket& node, const AttachmentStore& store,
                                   const std::string& name, const std::vector<IpNet>& addresses,
                                   unsigned mtu_bytes) {
  auto bridge = find_link(node, name);
  if (!bridge) return fail(bridge);
  const bool is_as_made =
      *bridge &&
      (addresses.empty() || (*bridge)->mac == MacAddr::derived_from(addresses.front().addr));
  if (is_as_made) return ensure_node_bridge(node, name, addresses, mtu_bytes);
  auto listing = store.list();
  if (!listing) return fail(listing);
  if (*bridge) {
    auto restored = restore_bridge_mac(node, listing->attachments, **bridge);
    if (!restored) return fail(restored);
    return ensure_node_bridge(node, name, addresses, mtu_bytes);
  }
  const auto known = first_of(known_macs(listing->attachments, name));
  return ensure_node_bridge(node, name, addresses, mtu_bytes, known);
}

Result<bool> restore_bridge_mac(NetlinkSocket& node, const std::vector<Attachment>& attachments,
                                Link& bridge) {
  const auto known = known_macs(attachments, bridge.name);
  if (known.empty() || std::ranges::find(known, bridge.mac) != known.end()) return false;
  if (auto put_back = set_link_mac(node, bridge.ifindex, known.front()); !put_back)
    return fail(put_back, "bridge " + bridge.name);
  bridge.mac = known.front();
  return true;
}

}  // namespace kubecni
