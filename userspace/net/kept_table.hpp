#pragma once

#include "base/result.hpp"
#include "net/address_elements.hpp"
#include "net/nft_table.hpp"
#include "net/nftables.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace kubecni {

/// One nftables table of ours, kept as it was made. Runs in the node's namespace.
class KeptTable {
 public:
  /// `name` with its family: "inet kube-cni".
  explicit KeptTable(std::string name) : name_(std::move(name)) {}

  /// What the table is to be. It is not stored: the sets of a large cluster are more than all
  /// that the daemon knows.
  struct Plan {
    bool is_as_before = false;            ///< as of the last sync()
    std::function<NftTable()> wanted;     ///< asked only if something has to be written
    std::function<NftTable()> as_before;  ///< of the last sync()
  };
  struct Outcome {
    std::string change;           ///< "nftables table inet kube-cni made"; empty: all was right
    bool was_as_applied = false;  ///< nobody had changed it, and it was there
  };
  /// Makes the table as planned, in one transaction; also when somebody deleted or edited
  /// it. Where only sets differ, their elements are changed and the rules stay.
  /// When all is right it costs one question to the kernel, and a list of the table if any
  /// table was changed.
  /// Errors: EPROTONOSUPPORT, ENOENT, EOPNOTSUPP the kernel lacks a part of nftables.
  Result<Outcome> sync(Nftables& nftables, const Plan& plan);

  /// Adds to sets of the table, which has to be one of `inet`, as it is. The next sync() does not
  /// take that for a change by somebody else. Errors: those of add_to_sets().
  Result<> add(Nftables& nftables, const AddedToSets& added);

  /// Removes the table; absent is success. Returns whether it was there.
  Result<bool> remove(Nftables& nftables);

 private:
  /// How a table looks. Its text is long in a large cluster.
  struct Look {
    std::size_t length = 0;  ///< 0: there is no table
    std::size_t hash = 0;

    static Look at(const std::string& listing);
    bool operator==(const Look&) const = default;
  };
  Result<Look> look(Nftables& nftables);
  Result<> run(Nftables& nftables, const std::string& commands);
  Result<> write(Nftables& nftables, const Plan& plan, const Look& before);
  [[nodiscard]] std::string describe_change(bool was_changed, const Look& before) const;

  std::string name_;
  bool is_applied_ = false;  // it is known how it looked
  Look look_;                // right after, without what was added since
  bool has_more_ = false;    // something was
  // When it was last seen to look like that; our own transactions are counted in.
  std::uint32_t generation_ = 0;
};

}  // namespace kubecni
