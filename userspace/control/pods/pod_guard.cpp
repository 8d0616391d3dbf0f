#include "control/pods/pod_guard.hpp"

#include <cerrno>
#include <utility>

namespace kubecni {

namespace {

GuardedPods guarded(const std::vector<Attachment>& attachments) {
  GuardedPods pods;
  for (const Attachment& attachment : attachments) {
    // One that an IPAM plugin has not answered for yet asks for its address by itself.
    if (!attachment.port.addresses.empty())
      pods[attachment.port.host_ifname] = {attachment.port.pod_mac,
                                           attachment.port.plain_addresses()};
  }
  return pods;
}

std::unexpected<Error> explain(const Error& error) {
  const bool is_missing = error.code == ENOENT || error.code == EOPNOTSUPP ||
                          error.code == EPROTONOSUPPORT || error.code == EAFNOSUPPORT;
  return failure(
      error.code,
      std::string("guard of the pods: nftables table ") + kPodGuardTable + ": " + error.what +
          (is_missing ? "; without nft_meta_bridge, which the kernel should have, nobody "
                        "checks what pods say of others on the kernel path"
                      : ""));
}

}  // namespace

Result<PodGuard> PodGuard::open() {
  auto nftables = Nftables::open();
  if (!nftables) return explain(nftables.error());
  return PodGuard(std::move(*nftables));
}

Result<std::string> PodGuard::sync(const std::vector<Attachment>& attachments) {
  GuardedPods pods = guarded(attachments);
  auto generation = nftables_.generation();
  if (generation && *generation == 0)
    generation = sys_error(EPROTONOSUPPORT, "the kernel has no nftables");
  if (!generation) return explain(generation.error());
  auto outcome = table_.sync(nftables_, {.is_as_before = applied_ == pods,
                                         .wanted = [&] { return plan_pod_guard(pods); },
                                         .as_before = [&] { return plan_pod_guard(*applied_); }});
  applied_.reset();
  if (!outcome) return explain(outcome.error());
  applied_ = std::move(pods);
  return outcome->change;
}

Result<bool> PodGuard::remove() {
  applied_.reset();
  auto generation = nftables_.generation();
  if (!generation) return fail(generation);
  if (*generation == 0) return false;
  return table_.remove(nftables_);
}

}  // namespace kubecni
