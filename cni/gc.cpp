#include "base/log.hpp"
#include "pods/removal.hpp"
#include "verbs.hpp"

#include <algorithm>

namespace kubecni {

CniResult<> cmd_gc(const NetConf& conf) {
  if (!conf.valid_attachments) {
    // libcni's own tool calls GC without a list; cleaning all then would end
    // every pod of the node.
    log::warn("GC without \"cni.dev/valid-attachments\" changes nothing");
    return {};
  }
  const PodPaths paths{conf.state_dir, conf.bpffs};
  auto present = list_attachments(paths, conf.name);
  if (!present) return cni_error(present.error(), "GC");
  std::string errors;
  for (const LeaseOwner& owner : *present) {
    if (std::ranges::find(*conf.valid_attachments, owner) != conf.valid_attachments->end())
      continue;
    auto removed = remove_attachment(paths, conf.name, owner);
    if (removed)
      log::info("attachment removed by GC", {{"attachment", owner.key()}});
    else
      errors += (errors.empty() ? "" : "; ") + owner.key() + ": " + removed.error().what;
  }
  auto of_host_local =
      HostLocalLeases(conf.ipam.migrate_from, conf.name).release_all_but(*conf.valid_attachments);
  if (!of_host_local) errors += (errors.empty() ? "" : "; ") + of_host_local.error().what;
  if (of_host_local && !of_host_local->empty())
    log::info("leases of host-local removed by GC",
              {{"count", std::to_string(of_host_local->size())}});
  if (!errors.empty()) return cni_error(CniCode::kSystem, "GC: " + errors);
  return {};
}

}  // namespace kubecni
