#pragma once

#include "base/file_lock.hpp"
#include "base/result.hpp"
#include "state/attach_kind.hpp"
#include "state/bandwidth.hpp"
#include "state/files.hpp"
#include "state/pod_port.hpp"
#include "state/port_mapping.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// What ADD makes for one interface of one container. ADD writes it to disk first, so that a later
/// call can undo everything.
struct Attachment {
  std::string network;
  std::string container_id;
  std::string netns;         ///< path, as the runtime gave it
  std::string pod;           ///< "namespace/name" if the runtime gave it
  std::string pod_uid = {};  ///< likewise
  PodPort port;
  std::vector<PortMapping> mappings;    ///< ports of the node that lead to the pod
  Bandwidth bandwidth;                  ///< what kube-cni limits it to
  bool shaped = false;                  ///< kube-cni or another plugin limits its bandwidth
  bool ebpf = false;                    ///< the programs are attached
  AttachKind hooks = AttachKind::kTcx;  ///< how they are attached, if they are
  std::string fallback_reason;          ///< why they are not attached, if they should be

  [[nodiscard]] std::string key() const { return container_id + ":" + port.pod_ifname; }
  /// For messages: the pod's name if it is known, else the container's.
  [[nodiscard]] std::string pod_text() const {
    return pod.empty() ? "container " + container_id : "pod " + pod;
  }
  /// Whether a later plugin of the list limits its bandwidth.
  [[nodiscard]] bool is_shaped_by_others() const { return shaped && bandwidth.empty(); }
  /// Whether kube-cni limits what it receives, and nothing else.
  [[nodiscard]] bool is_limited_in_what_it_receives() const {
    return bandwidth.ingress && !bandwidth.egress;
  }
  /// Whether it may be without eBPF though its network demands that: the kernel carries its packets
  /// all the same.
  [[nodiscard]] bool is_kernels() const { return shaped && !is_limited_in_what_it_receives(); }
  [[nodiscard]] HostPorts host_ports() const {
    return plan_host_ports(mappings, port.plain_addresses());
  }
};

/// All host ends, as nft and BIRD name them.
inline constexpr const char* kHostIfnames = "veth*";

/// The host end's name: "veth" and 11 hex digits. It depends on the attachment alone, so it is
/// found even if the record is lost.
std::string host_ifname_for(const std::string& network, const std::string& container_id,
                            const std::string& ifname);

/// Whether that may be the name of a pod's host end.
bool is_host_ifname(const std::string& name);

/// The attachment records of a node: <state dir>/attachments/<network>/<key>.
class AttachmentStore {
 public:
  explicit AttachmentStore(const std::filesystem::path& state_dir)
      : folder_(state_dir / kAttachmentsFolder) {}

  /// The lock for writing and removing a record, and for work that needs a pod's record and its map
  /// entries to agree: DEL removes the record before the map entries, and the daemon restores only
  /// pods that have a record. Errors: those of FileLock::acquire().
  [[nodiscard]] Result<FileLock> lock() const;

  /// The lock for the node's host ports: held while records with mappings are compared and written,
  /// and while the mappings of records are made and removed. It is taken before lock().
  /// Errors: those of FileLock::acquire().
  [[nodiscard]] Result<FileLock> lock_host_ports() const;

  /// The lock for what the policies' table has about pods: held while kube-cnid compares the
  /// records with the table and writes it, and while entries of a pod that has no record are
  /// removed. It is taken before lock(). Errors: those of FileLock::acquire().
  [[nodiscard]] Result<FileLock> lock_policies() const;

  /// Takes the lock itself.
  Result<> save(const Attachment& attachment) const;
  /// The same for a caller that has the lock.
  Result<> save(const FileLock& held, const Attachment& attachment) const;
  /// Empty if there is no record. Errors: EBADMSG the record is damaged.
  [[nodiscard]] Result<std::optional<Attachment>> find(const std::string& network,
                                                       const std::string& container_id,
                                                       const std::string& ifname) const;
  /// Takes the lock itself. Also removes what a killed save() left. Succeeds if there is no record.
  /// Needs no disk space.
  Result<> remove(const std::string& network, const std::string& container_id,
                  const std::string& ifname) const;

  /// The "container:ifname" of every record of the network, also of half-written ones.
  [[nodiscard]] Result<std::vector<std::string>> keys(const std::string& network) const;

  /// The folders of the networks, which have the records.
  [[nodiscard]] Result<std::vector<std::filesystem::path>> folders() const;

  struct Listing {
    std::vector<Attachment> attachments;
    std::vector<std::string> damaged;  ///< an error text for each
  };
  /// The attachments of every network.
  [[nodiscard]] Result<Listing> list() const;

 private:
  std::filesystem::path folder_;
};

}  // namespace kubecni
