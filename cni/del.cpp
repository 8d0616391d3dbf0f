#include "base/log.hpp"
#include "delegate.hpp"
#include "pods/removal.hpp"
#include "verbs.hpp"

namespace kubecni {

CniResult<> cmd_del(const CniEnv& env, const NetConf& conf) {
  const LeaseOwner owner{env.container_id, env.ifname};
  auto addresses = remove_attachment({conf.state_dir, conf.bpffs}, conf.name, owner);
  if (!addresses) return cni_error(addresses.error(), "DEL");
  auto of_host_local = HostLocalLeases(conf.ipam.migrate_from, conf.name).release(owner);
  if (!of_host_local) return cni_error(of_host_local.error(), "DEL");
  addresses->insert(addresses->end(), of_host_local->begin(), of_host_local->end());
  for (const IpAddr& address : *addresses)
    log::info(
        "pod detached",
        {{"container", env.container_id}, {"ifname", env.ifname}, {"address", address.str()}});
  if (conf.ipam.type.empty()) return {};
  // Last: the address may be in use until here.
  auto delegate = Delegate::find(env, conf);
  return delegate ? delegate->del() : std::unexpected(delegate.error());
}

}  // namespace kubecni
