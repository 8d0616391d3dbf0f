#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "net/netlink.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace kubecni {

/// The types of keys and values of nftables that we use, by nft's numbers: `nft list` shows by them
/// what an element is. A field takes a multiple of four bytes.
enum class NftType : std::uint32_t { kIp4 = 7, kIp6 = 8, kProtocol = 12, kPort = 13 };

/// A set of `inet` tables, or a map when `value` has fields.
struct NftSetType {
  std::vector<NftType> key;
  std::vector<NftType> value = {};
};

/// Key and value as the kernel has them; sets have no values.
struct NftElement {
  std::vector<std::uint8_t> key;
  std::vector<std::uint8_t> value = {};
  std::string chain = {};  ///< to jump to: the value in a map of verdicts
  bool is_end = false;     ///< in a set of intervals: the first key after one

  auto operator<=>(const NftElement&) const = default;
};

/// The bytes of fields one after another, each filled up to a multiple of four bytes.
class NftFields {
 public:
  NftFields& add(const IpAddr& addr) { return add({addr.data(), addr.bytes()}); }
  NftFields& add_protocol(std::uint8_t number) { return add({&number, 1}); }
  NftFields& add_port(std::uint16_t port);
  [[nodiscard]] const std::vector<std::uint8_t>& bytes() const { return bytes_; }

 private:
  NftFields& add(std::span<const std::uint8_t> field);
  std::vector<std::uint8_t> bytes_;
};

/// The expressions of one rule, in the order in which a packet meets them. Fields are loaded into
/// 16 slots of four bytes; an address of IPv6 takes four of them.
class NftRule {
 public:
  explicit NftRule(NetlinkRequest& request) : request_(request) {}

  // Matches: the packet goes on to the next expression, or leaves the rule.
  NftRule& is_family(int family);
  NftRule& goes_to_this_host();
  NftRule& has_interface(const char* name, bool is_incoming, bool equal);
  /// 127.0.0.0/8
  NftRule& has_loopback_source() { return has_loopback_at(12); }
  NftRule& has_loopback_destination() { return has_loopback_at(16); }
  NftRule& was_dnatted();
  /// The slots from 0 are a key of the set.
  NftRule& is_in(const std::string& set);
  /// The same; loads the value of the map into the slots from 0.
  NftRule& look_up(const std::string& map);

  // Loads.
  NftRule& load_source(int family, unsigned slot);
  NftRule& load_destination(int family, unsigned slot);
  NftRule& load_protocol(unsigned slot);
  NftRule& load_destination_port(unsigned slot);

  // What happens to a packet that matched.
  /// To the address from slot 0, and the port in the slot after it.
  NftRule& dnat(int family);
  NftRule& masquerade();
  NftRule& count();
  NftRule& drop();
  NftRule& jump(const std::string& chain);

 private:
  NftRule& expression(const char* name, const std::function<void()>& content);
  NftRule& has_loopback_at(unsigned offset);
  NftRule& compare(unsigned operation, std::span<const std::uint8_t> value);
  NftRule& load_network(unsigned offset, unsigned bytes, unsigned slot);
  NftRule& verdict(std::int32_t code, const std::string& chain);

  NetlinkRequest& request_;
};

/// Where the kernel gives packets to a chain (nf_nat, nf_tables).
struct NftHook {
  const char* type;  ///< "nat", "filter"
  unsigned number;   ///< NF_INET_PRE_ROUTING, ...
  std::int32_t priority;
};

/// Commands to one table of the family `inet`, which the kernel applies as one transaction: all or
/// nothing. Without libnftables, which no static program can have.
class NftBatch {
 public:
  explicit NftBatch(std::string table);
  ~NftBatch();
  NftBatch(NftBatch&&) = delete;

  // Each of these succeeds where the same is there already.
  void ensure_table(const std::string& comment);
  void ensure_set(const std::string& name, const NftSetType& type);
  void ensure_chain(const std::string& name, const std::optional<NftHook>& hook = {});

  void delete_table();
  void delete_all_rules();
  void add_rule(const std::string& chain, const std::string& comment,
                const std::function<void(NftRule&)>& content);
  /// Fails with EEXIST where a map has the key with another value.
  void add_elements(const std::string& set, const std::vector<NftElement>& elements);
  /// Fails with ENOENT if one is missing.
  void delete_elements(const std::string& set, const std::vector<NftElement>& elements);

  [[nodiscard]] bool is_empty() const { return requests_.empty(); }
  /// Sends all of it in the calling thread's namespace; nothing if there is nothing. Errors: EPERM
  /// no CAP_NET_ADMIN; EOPNOTSUPP, ENOENT, EPROTONOSUPPORT the kernel lacks a part of nftables.
  Result<> commit(std::string_view what);

 private:
  NetlinkRequest& start(int message, int flags);
  void change_elements(int message, int flags, const std::string& set,
                       const std::vector<NftElement>& elements);

  std::string table_;
  std::vector<std::unique_ptr<NetlinkRequest>> requests_;
  std::uint32_t sets_ = 0;
};

/// The elements of a set of an `inet` table in the calling thread's namespace; empty if there is no
/// such set or table, or no nftables in the kernel. Errors: EPERM no CAP_NET_ADMIN.
Result<std::optional<std::vector<NftElement>>> list_nft_elements(const std::string& table,
                                                                 const std::string& set);

/// Those of the elements, of which only the keys count, that the set has; none if there is no such
/// set or table, or no nftables in the kernel. `netfilter` is a socket of NetlinkPeer::kNetfilter.
/// Errors: EPERM no CAP_NET_ADMIN.
Result<std::vector<NftElement>> find_nft_elements(NetlinkSocket& netfilter,
                                                  const std::string& table, const std::string& set,
                                                  const std::vector<NftElement>& keys);

}  // namespace kubecni
