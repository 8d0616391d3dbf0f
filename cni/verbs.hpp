#pragma once

#include "cni_env.hpp"
#include "cni_error.hpp"
#include "net_conf.hpp"

#include <nlohmann/json.hpp>

namespace kubecni {

/// CNI ADD, as the first plugin of a list or as a later one: its result has what
/// prevResult has, and the pod's interface. On failure nothing of this pod is left. What all pods
/// of the node share stays once it was made: loaded programs and maps, the bridge with its address,
/// ip_forward. Code 11 when it may work later: the pool is full, or the daemon has not learned a
/// PodCIDR.
CniResult<nlohmann::json> cmd_add(const CniEnv& env, const NetConf& conf);

/// CNI DEL. Succeeds when there is nothing left to delete, and needs neither
/// the namespace nor prevResult nor the daemon. Also frees what `host-local` had
/// leased to that container before this plugin took over.
CniResult<> cmd_del(const CniEnv& env, const NetConf& conf);

/// CNI CHECK. Compares and changes nothing; code 100 names every difference.
CniResult<> cmd_check(const CniEnv& env, const NetConf& conf);

/// CNI GC. Removes every attachment of the network that is not in the runtime's
/// list, also leases of `host-local`, and has an IPAM plugin do the same; without a
/// list nothing. Goes on after an error and reports at the end.
CniResult<> cmd_gc(const CniEnv& env, const NetConf& conf);

/// CNI STATUS, in milliseconds. Code 50 when the next ADD would fail, with the
/// reason; 51 when pods have lost the eBPF path and are to have no other.
CniResult<> cmd_status(const CniEnv& env, const NetConf& conf);

}  // namespace kubecni
