#include "control/pods/pod_guard.hpp"

#include <cerrno>
#include <utility>

namespace kubecni {

namespace {

/// Those in mode ptp, or all others.
GuardedPods guarded(const std::vector<Attachment>& attachments, bool routed) {
  GuardedPods pods;
  for (const Attachment& attachment : attachments) {
    if (attachment.port.is_routed() != routed) continue;
    // One that an IPAM plugin has not answered for yet asks for its address by itself.
    if (!attachment.port.addresses.empty())
      pods[attachment.port.host_ifname] = {
          attachment.port.pod_mac, attachment.port.plain_addresses(), attachment.port.uplink};
  }
  return pods;
}

std::unexpected<Error> explain(const Error& error, const char* table) {
  const bool is_missing = error.code == ENOENT || error.code == EOPNOTSUPP ||
                          error.code == EPROTONOSUPPORT || error.code == EAFNOSUPPORT;
  return failure(
      error.code,
      std::string("guard of the pods: nftables table ") + table + ": " + error.what +
          (is_missing ? "; without nf_tables and nft_meta_bridge, which the kernel should have, "
                        "nobody checks what pods say of others on the kernel path"
                      : ""));
}

}  // namespace

Result<PodGuard> PodGuard::open() {
  auto nftables = Nftables::open();
  if (!nftables) return explain(nftables.error(), kPodGuardTable);
  return PodGuard(std::move(*nftables));
}

Result<std::string> PodGuard::sync(Guard& guard, GuardedPods pods) {
  auto generation = nftables_.generation();
  if (generation && *generation == 0)
    generation = sys_error(EPROTONOSUPPORT, "the kernel has no nftables");
  if (!generation) return explain(generation.error(), guard.name);
  auto outcome =
      guard.table.sync(nftables_, {.is_as_before = guard.applied == pods,
                                   .wanted = [&] { return guard.plan(pods); },
                                   .as_before = [&] { return guard.plan(*guard.applied); }});
  guard.applied.reset();
  guard.may_exist = true;
  if (!outcome) return explain(outcome.error(), guard.name);
  guard.applied = std::move(pods);
  return outcome->change;
}

Result<std::vector<std::string>> PodGuard::sync(const std::vector<Attachment>& attachments) {
  std::vector<std::string> changes;
  // One that fails does not keep the other from its work.
  auto on_bridges = sync(on_bridges_, guarded(attachments, false));
  if (on_bridges && !on_bridges->empty()) changes.push_back(*on_bridges);
  GuardedPods pods = guarded(attachments, true);
  if (pods.empty()) {
    auto removed = routed_.may_exist ? remove(routed_) : Result<bool>(false);
    if (removed && *removed)
      changes.push_back(std::string("nftables table ") + kRoutedGuardTable + " removed");
    if (!removed && on_bridges) return fail(removed);
  } else {
    auto routed = sync(routed_, std::move(pods));
    if (routed && !routed->empty()) changes.push_back(*routed);
    if (!routed && on_bridges) return fail(routed);
  }
  if (!on_bridges) return fail(on_bridges);
  return changes;
}

Result<bool> PodGuard::remove(Guard& guard) {
  guard.applied.reset();
  auto generation = nftables_.generation();
  if (!generation) return fail(generation);
  if (*generation == 0) return false;
  auto removed = guard.table.remove(nftables_);
  guard.may_exist = !removed;
  return removed;
}

Result<std::vector<std::string>> PodGuard::remove() {
  std::vector<std::string> names;
  Result<> all;
  for (Guard* guard : {&on_bridges_, &routed_}) {
    auto removed = remove(*guard);
    if (!removed) all = fail(removed);
    if (removed && *removed) names.emplace_back(guard->name);
  }
  if (!all) return fail(all);
  return names;
}

}  // namespace kubecni
