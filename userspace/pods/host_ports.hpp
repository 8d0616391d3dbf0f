#pragma once

#include "base/result.hpp"
#include "dataplane/host_port_table.hpp"
#include "ipam/lease_record.hpp"
#include "net/netlink.hpp"
#include "state/attachment.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// All of these work in the node's namespace, also several at once: they take lock_host_ports().

/// Writes the record of a pod, unless another record has one of its host ports.
/// Errors: EADDRINUSE, naming the port and the pod that has it; those of save().
Result<> claim_host_ports(const AttachmentStore& store, const Attachment& attachment);

/// Makes the host ports of the recorded attachment, with what the node needs for them, and lets
/// connection tracking forget UDP flows that came to them before. Nothing if it has none. Repeating
/// the call changes nothing. Errors: those of write_host_port_table() and ensure_sysctl().
Result<> map_host_ports(NetlinkSocket& netlink, const AttachmentStore& store,
                        const Attachment& attachment);

/// Removes the host ports and the record of an attachment, so that nobody makes them again in
/// between. Without `record`, which may be lost or damaged, those that lead to `addresses`. Absent
/// is success.
Result<> remove_record(const AttachmentStore& store, const std::string& network,
                       const LeaseOwner& owner, const std::optional<Attachment>& record,
                       const std::vector<IpAddr>& addresses);

/// What is missing of the attachment's host ports, a phrase each.
struct HostPortLosses {
  std::vector<std::string> of_pod;
  std::vector<std::string> of_node;  ///< what every pod with host ports lacks
};
Result<HostPortLosses> find_host_port_losses(const Attachment& attachment);

/// What the node needs for host ports of pods whose PodPort::gateway_device() is `device`. Returns
/// a phrase for each setting that had to be written. Errors: those of ensure_sysctl().
Result<std::vector<std::string>> ensure_host_port_settings(const std::string& device);

/// The host ports of all these attachments. If two have the same, which claim_host_ports() refuses,
/// it is the first one's. Pure.
HostPorts plan_all_host_ports(const std::vector<Attachment>& attachments);

}  // namespace kubecni
