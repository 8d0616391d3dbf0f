#pragma once

#include "cni_env.hpp"
#include "cni_error.hpp"
#include "net_conf.hpp"

#include <nlohmann/json.hpp>

namespace kubecni {

/// CNI ADD, as the first plugin of a list or a later one: the result has the content of prevResult,
/// and the pod's interface. On failure, nothing of this pod is left. What all pods of the node
/// share stays once made: loaded programs and maps, the bridge with its address, ip_forward. Code
/// 11 if it may work later: the pool is full, or the daemon has not learned a PodCIDR.
CniResult<nlohmann::json> cmd_add(const CniEnv& env, const NetConf& conf);

/// CNI DEL. Succeeds if there is nothing left to delete. Needs neither the namespace nor prevResult
/// nor the daemon. Also frees `host-local` leases of that container from before this plugin took
/// over.
CniResult<> cmd_del(const CniEnv& env, const NetConf& conf);

/// CNI CHECK. Compares and changes nothing; code 100 names every difference. Only what the pod
/// itself lacks is one: a runtime takes the pod's addresses for lost. What all pods of the node
/// lack is only logged, since the daemon brings it back: the bridge and what belongs to it,
/// forwarding, programs and maps, and the pod's part of them after they were loaded anew.
CniResult<> cmd_check(const CniEnv& env, const NetConf& conf);

/// CNI GC. Removes every attachment of the network that is not in the runtime's list, also leases
/// of `host-local`, and calls GC of an IPAM plugin. Does nothing without a list. Continues after an
/// error and reports at the end.
CniResult<> cmd_gc(const CniEnv& env, const NetConf& conf);

/// CNI STATUS, in milliseconds. Changes nothing, except that it loads the programs if they have to
/// be there and are not. Code 50, with the reason, if every ADD fails until
/// somebody acts; 51 only if an IPAM plugin says so. A full subnet is neither, nor is a pod that
/// has lost its programs: `kube-cnictl status` says both.
CniResult<> cmd_status(const CniEnv& env, const NetConf& conf);

}  // namespace kubecni
