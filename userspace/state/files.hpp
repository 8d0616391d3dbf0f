#pragma once

#include <array>

// The names of all files that kube-cni keeps on a node.
namespace kubecni {

// In the state folder; they survive a reboot.
inline constexpr const char* kAttachmentsFolder = "attachments";
inline constexpr const char* kLeasesFolder = "ipam";
inline constexpr const char* kNodeFile = "node.json";
inline constexpr const char* kClusterFile = "cluster.json";
inline constexpr const char* kApiEndpointsFile = "api-endpoints.json";
/// Is there as long as the cluster has network policies.
inline constexpr const char* kPoliciesFile = "policies";
inline constexpr std::array kStateFiles{kAttachmentsFolder, kLeasesFolder,     kNodeFile,
                                        kClusterFile,       kApiEndpointsFile, kPoliciesFile};

// In the run folder, until the next boot.
inline constexpr const char* kStatusFile = "status.json";
/// What the daemon knows of the network policies.
inline constexpr const char* kPolicyStatusFile = "policies.json";
inline constexpr const char* kCallStatsFile = "plugin-stats";
/// The daemon holds it while it runs.
inline constexpr const char* kDaemonLock = "kube-cnid.lock";
/// Held while programs and maps are loaded or switched.
inline constexpr const char* kDataplaneLock = "dataplane.lock";
// Of the BIRD that the daemon runs.
inline constexpr const char* kBirdConfigFile = "bird.conf";
inline constexpr const char* kBirdNextConfigFile = "bird.conf.next";
inline constexpr const char* kBirdSocket = "bird.ctl";
inline constexpr const char* kBirdPidFile = "bird.pid";
inline constexpr const char* kBirdLog = "bird.log";
inline constexpr const char* kBirdOldLog = "bird.log.1";
inline constexpr std::array kRunFiles{
    kStatusFile,    kPolicyStatusFile, kCallStatsFile,      kDaemonLock,
    kDataplaneLock, kBirdConfigFile,   kBirdNextConfigFile, kBirdSocket,
    kBirdPidFile,   kBirdLog,          kBirdOldLog};

}  // namespace kubecni
