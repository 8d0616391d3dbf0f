#include "base/log.hpp"
#include "delegate.hpp"
#include "pods/removal.hpp"
#include "verbs.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

namespace {

/// Removes one attachment, and what its IPAM plugin holds. Collects errors.
void remove(const NetConf& conf, const PodPaths& paths, const std::optional<Delegate>& delegate,
            const LeaseOwner& owner, std::vector<std::string>& errors) {
  const auto note = [&](const std::string& what) { errors.push_back(owner.key() + ": " + what); };
  if (const auto damage = find_damage(paths, conf.name, owner); !damage.empty())
    log::warn("damaged record goes", {{"attachment", owner.key()}, {"err", damage}});
  // The IPAM plugin comes first: if it fails, the next GC finds the record and tries again.
  if (delegate) {
    if (auto done = delegate->del(owner); !done) return note(done.error().msg);
  }
  if (auto removed = remove_attachment(paths, conf.name, owner); !removed)
    return note(removed.error().what);
  log::info("attachment removed by GC", {{"attachment", owner.key()}});
}

}  // namespace

CniResult<> cmd_gc(const CniEnv& env, const NetConf& conf) {
  if (!conf.valid_attachments) {
    // libcni's own tool calls GC without a list. Removing everything then would end every pod of
    // the node.
    log::warn("GC without \"cni.dev/valid-attachments\" changes nothing");
    return {};
  }
  std::optional<Delegate> delegate;
  if (!conf.ipam.type.empty()) {
    auto found = Delegate::find(env, conf);
    if (!found) return std::unexpected(found.error());
    delegate.emplace(std::move(*found));
  }
  const PodPaths paths{conf.state_dir, conf.bpffs};
  auto present = list_attachments(paths, conf.name);
  if (!present) return cni_error(present.error(), "GC");
  std::vector<std::string> errors;
  for (const LeaseOwner& owner : *present) {
    if (std::ranges::find(*conf.valid_attachments, owner) == conf.valid_attachments->end())
      remove(conf, paths, delegate, owner, errors);
  }
  auto of_host_local =
      HostLocalLeases(conf.ipam.migrate_from, conf.name).release_all_but(*conf.valid_attachments);
  if (!of_host_local) errors.push_back(of_host_local.error().what);
  if (of_host_local && !of_host_local->empty())
    log::info("leases of host-local removed by GC",
              {{"count", std::to_string(of_host_local->size())}});
  if (delegate) {
    if (auto done = delegate->gc(); !done) errors.push_back(done.error().msg);
  }
  if (errors.empty()) return {};
  std::string text;
  for (const auto& error : errors) text += (text.empty() ? "" : "; ") + error;
  return cni_error(CniCode::kSystem, "GC: " + text);
}

}  // namespace kubecni
