#pragma once

#include "base/result.hpp"
#include "net/netlink.hpp"

#include <cstdint>
#include <set>
#include <string>

namespace kubecni {

/// The nftables of a network namespace, by libnftables. All calls have to be made in the
/// namespace in which it was opened.
class Nftables {
 public:
  /// Errors: EPROTONOSUPPORT the kernel has no netfilter; EPERM no CAP_NET_ADMIN.
  static Result<Nftables> open();

  /// Runs `commands` in nft's own language as one transaction: all or nothing.
  /// Errors: ENOENT, EEXIST, EPERM, ... with nft's own explanation; EINVAL it is
  /// none of nft's language.
  Result<> run(const std::string& commands);

  /// The table `name`, with its family, in nft's own language (`nft -s list table`), the same text
  /// as long as it holds the same; empty when there is no such table. What counters
  /// count is left out.
  Result<std::string> list_table(const std::string& name);

  /// What the table `name` consists of, as "set nodes4" or "chain postrouting"; empty when there
  /// is no such table.
  Result<std::set<std::string>> list_objects(const std::string& name);

  /// The chains of all tables without their rules, as JSON (`nft -j list chains`,
  /// libnftables-json(5)): what hook each has, and what its policy is.
  Result<std::string> list_chains();

  /// A number that changes whenever anybody changes any table (NFT_MSG_GETGEN).
  /// 0 where the kernel has no nftables.
  Result<std::uint32_t> generation();

 private:
  explicit Nftables(NetlinkSocket netlink) : netlink_(std::move(netlink)) {}

  NetlinkSocket netlink_;
};

}  // namespace kubecni
