#pragma once

#include "base/result.hpp"
#include "net/netlink.hpp"

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>

struct nft_ctx;

namespace kubecni {

/// The nftables of a network namespace, by libnftables. All calls have to be made in the
/// namespace in which it was opened.
class Nftables {
 public:
  /// Errors: EPROTONOSUPPORT the kernel has no netfilter; EPERM no CAP_NET_ADMIN.
  static Result<Nftables> open();

  /// Runs `commands` in nft's language as one transaction: all or nothing.
  /// Errors: ENOENT, EEXIST, EPERM, ... with nft's own explanation; EINVAL a syntax error.
  Result<> run(const std::string& commands);

  /// The table `name`, with its family, in nft's language (`nft -s list table`), without the values
  /// of counters. The text is the same as long as the content is; empty if there is no such table.
  Result<std::string> list_table(const std::string& name);

  /// The same without the elements of its sets, which are not even read.
  Result<std::string> list_structure(const std::string& name);

  /// The table `name` as JSON (libnftables-json(5)), with the values of counters; with or without
  /// the elements of its sets. An empty list if there is no such table, nor netfilter in the
  /// kernel. Errors: EPERM no CAP_NET_ADMIN.
  enum class Elements { kAll, kNone };
  static Result<std::string> list_json(const std::string& name, Elements elements);

  /// The parts of the table `name`, as "set nodes4" or "chain postrouting"; empty if there is no
  /// such table.
  Result<std::set<std::string>> list_objects(const std::string& name);

  /// The chains of all tables without their rules, as JSON (`nft -j list chains`,
  /// libnftables-json(5)): the hook and the policy of each.
  Result<std::string> list_chains();

  /// The rules of the chain `name` ("ip filter FORWARD"), as JSON with their handles; an empty list
  /// if there is no such chain.
  Result<std::string> list_rules(const std::string& name);

  /// A number that grows by one with each transaction that changes any table (NFT_MSG_GETGEN). 0 if
  /// the kernel has no nftables.
  Result<std::uint32_t> generation();

 private:
  explicit Nftables(NetlinkSocket netlink) : netlink_(std::move(netlink)) {}

  NetlinkSocket netlink_;
};

/// Makes tables with `flags owner` (nft(8), Linux 5.12): nobody else can change them, also not by
/// `nft flush ruleset`, and the kernel removes them when this ends. As of Nftables, all calls have
/// to be made in the namespace in which it was opened.
class NftOwner {
 public:
  /// Errors: those of Nftables::open(); ENOMEM.
  static Result<NftOwner> open();

  /// As Nftables::run().
  Result<> run(const std::string& commands);

 private:
  struct Free {
    void operator()(nft_ctx* context) const;
  };
  using Context = std::unique_ptr<nft_ctx, Free>;

  explicit NftOwner(Context context) : context_(std::move(context)) {}

  Context context_;  ///< its socket is the owner
};

}  // namespace kubecni
