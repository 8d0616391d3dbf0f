#include "base/log.hpp"
#include "delegate.hpp"
#include "pods/removal.hpp"
#include "verbs.hpp"

namespace kubecni {

CniResult<> cmd_del(const CniEnv& env, const NetConf& conf) {
  auto address =
      remove_attachment({conf.state_dir, conf.bpffs}, conf.name, {env.container_id, env.ifname});
  if (!address) return cni_error(address.error(), "DEL");
  if (*address)
    log::info(
        "pod detached",
        {{"container", env.container_id}, {"ifname", env.ifname}, {"address", (*address)->str()}});
  if (conf.ipam_type.empty()) return {};
  // Last: until here the address may still be in use.
  auto delegate = Delegate::find(env, conf);
  return delegate ? delegate->del() : std::unexpected(delegate.error());
}

}  // namespace kubecni
