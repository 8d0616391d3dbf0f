#pragma once

#include "base/result.hpp"
#include "net/netlink.hpp"

#include <cstddef>
#include <set>
#include <string>

namespace kubecni {

/// A table without the elements of its sets.
struct NftStructure {
  /// Its parts: "set nodes4", "map ports", "chain postrouting", "limit denied".
  std::set<std::string> objects;
  std::size_t rules = 0;  ///< of all chains
  /// Another number for another table, also for one with equal parts that was made anew. Counters
  /// do not matter.
  std::size_t fingerprint = 0;

  [[nodiscard]] bool exists() const { return fingerprint != 0; }
  bool operator==(const NftStructure&) const = default;
};

/// Reads the table `inet TABLE` of the calling thread's namespace; an empty structure if there is
/// none. libnftables would also read, and print, what each rule says: 0.2 s for 4000 chains, where
/// this takes 20 ms. Errors: EINTR it changes all the time; EPERM no CAP_NET_ADMIN.
Result<NftStructure> read_nft_structure(NetlinkSocket& netfilter, const std::string& table);

}  // namespace kubecni
