#include "base/log.hpp"
#include "dataplane/attachment.hpp"
#include "dataplane/ebpf_dataplane.hpp"
#include "ipam/lease_store.hpp"
#include "verbs.hpp"

#include <cerrno>

namespace kubecni {

namespace {

/// Takes the pod out of the maps and its programs off. Where nothing is loaded
/// there is nothing to do.
Result<> remove_from_ebpf(const NetConf& conf, const Device& host,
                          const std::optional<IpAddr>& address) {
  auto dataplane = EbpfDataplane::open_loaded(conf.bpffs);
  if (!dataplane && dataplane.error().code == ENOENT) return {};
  if (!dataplane) return fail(dataplane);
  return dataplane->remove_pod(host, address);
}

/// Tells the daemon, which brings back what is missing, that this goes for good.
Result<> announce_removal(const NetConf& conf, const AttachmentStore& attachments,
                          std::optional<Attachment> attachment) {
  if (!attachment || !attachment->ebpf) return {};
  auto lock = lock_pods(conf.run_dir);
  if (!lock) return fail(lock);
  attachment->ebpf = false;
  return attachments.save(*attachment);
}

/// A damaged record must not keep the rest from being deleted.
template <typename T>
std::optional<T> unless_damaged(Result<std::optional<T>> found) {
  if (found) return std::move(*found);
  log::warn("record ignored", {{"err", found.error().what}});
  return std::nullopt;
}

}  // namespace

CniResult<> cmd_del(const CniEnv& env, const NetConf& conf) {
  const AttachmentStore attachments(conf.state_dir);
  LeaseStore leases(conf.state_dir, conf.name);
  const LeaseOwner owner{env.container_id, env.ifname};
  const auto lease = unless_damaged(leases.find(owner));
  const auto attachment = unless_damaged(attachments.find(conf.name, env.container_id, env.ifname));
  if (auto announced = announce_removal(conf, attachments, attachment); !announced)
    return cni_error(announced.error(), "DEL");
  const std::string host_ifname = host_ifname_for(conf.name, env.container_id, env.ifname);

  auto netlink = NetlinkSocket::open();
  if (!netlink) return cni_error(netlink.error(), "DEL");
  auto host = find_link(*netlink, host_ifname);
  if (!host) return cni_error(host.error(), "DEL");

  // First nobody may be sent there any more, last the address is given away.
  const Device device{*host ? (*host)->ifindex : 0, host_ifname};
  const auto address = lease ? std::optional(lease->address) : std::nullopt;
  if (auto removed = remove_from_ebpf(conf, device, address); !removed)
    return cni_error(removed.error(), "DEL");
  if (*host) {
    if (auto deleted = delete_link(*netlink, device.ifindex); !deleted)
      return cni_error(deleted.error(), "DEL");
  }
  if (auto released = leases.release(owner); !released) return cni_error(released.error(), "DEL");
  if (auto removed = attachments.remove(conf.name, env.container_id, env.ifname); !removed)
    return cni_error(removed.error(), "DEL");
  if (lease)
    log::info("pod detached", {{"container", env.container_id},
                               {"ifname", env.ifname},
                               {"address", lease->address.str()}});
  return {};
}

}  // namespace kubecni
