#include "net/nft_structure.hpp"

#include "net/netlink_request.hpp"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <cerrno>
#include <functional>
#include <string_view>
#include <utility>

namespace kubecni {

namespace {

/// Reads the kinds of a table's parts, one after the other.
class StructureReader {
 public:
  StructureReader(NetlinkSocket& netfilter, const std::string& table)
      : netfilter_(netfilter), table_(table) {}

  Result<NftStructure> read() {
    auto done = dump<NFTA_TABLE_MAX>(NFT_MSG_GETTABLE, NFTA_TABLE_NAME, [this](const auto& table) {
      note(table[NFTA_TABLE_HANDLE]);
      note(table[NFTA_TABLE_FLAGS]);
    });
    if (done && !structure_.exists()) return NftStructure{};
    if (done)
      done = dump<NFTA_CHAIN_MAX>(NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE, [this](const auto& chain) {
        const bool is_of_a_rule = (ntohl(chain.u32(NFTA_CHAIN_FLAGS)) & NFT_CHAIN_BINDING) != 0;
        if (!is_of_a_rule) structure_.objects.insert("chain " + chain.text(NFTA_CHAIN_NAME));
        for (const int part : {NFTA_CHAIN_HANDLE, NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK,
                               NFTA_CHAIN_POLICY, NFTA_CHAIN_FLAGS})
          note(chain[part]);
      });
    if (done)
      done = dump<NFTA_RULE_MAX>(NFT_MSG_GETRULE, NFTA_RULE_TABLE, [this](const auto& rule) {
        ++structure_.rules;
        note(rule[NFTA_RULE_CHAIN]);
        note(rule[NFTA_RULE_HANDLE]);
        note_expressions(rule[NFTA_RULE_EXPRESSIONS]);
      });
    if (done)
      done = dump<NFTA_SET_MAX>(NFT_MSG_GETSET, NFTA_SET_TABLE, [this](const auto& set) {
        const std::uint32_t flags = ntohl(set.u32(NFTA_SET_FLAGS));
        note(set[NFTA_SET_HANDLE]);
        if ((flags & NFT_SET_ANONYMOUS) != 0) return;  // a part of a rule
        structure_.objects.insert(((flags & NFT_SET_MAP) != 0 ? "map " : "set ") +
                                  set.text(NFTA_SET_NAME));
      });
    if (done)
      done = dump<NFTA_OBJ_MAX>(NFT_MSG_GETOBJ, NFTA_OBJ_TABLE, [this](const auto& object) {
        note(object[NFTA_OBJ_HANDLE]);
        if (ntohl(object.u32(NFTA_OBJ_TYPE)) == NFT_OBJECT_LIMIT)
          structure_.objects.insert("limit " + object.text(NFTA_OBJ_NAME));
      });
    if (!done && done.error().code == ENOENT) return NftStructure{};  // it went meanwhile
    if (!done) return fail(done);
    return std::move(structure_);
  }

 private:
  /// Passes each part of the table to `take`. The attribute `of_table` names a part's table.
  template <std::size_t Max, typename Take>
  Result<> dump(int message, int of_table, Take take) {
    const nfgenmsg header{.nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0, .res_id = 0};
    NetlinkRequest request(NFNL_SUBSYS_NFTABLES << 8 | message, NLM_F_DUMP, header);
    request.put(of_table, table_);  // of some kinds the kernel sends those of all tables
    const NftStructure before = structure_;
    return request.dump(
        netfilter_, "read nftables table inet " + table_, [&] { structure_ = before; },
        [&](const nlmsghdr* answer) {
          const auto* about = static_cast<const nfgenmsg*>(nlmsg_data(answer));
          const Attributes<Max> part(answer, about);
          if (about->nfgen_family == NFPROTO_INET && part.text(of_table) == table_) take(part);
        });
  }

  void note(const nlattr* attribute) {
    constexpr std::size_t kPrime = 0x100000001b3;  // of FNV-1a
    const std::string_view bytes =
        attribute ? std::string_view(static_cast<const char*>(nla_data(attribute)),
                                     static_cast<std::size_t>(nla_len(attribute)))
                  : std::string_view();
    structure_.fingerprint =
        ((structure_.fingerprint ^ std::hash<std::string_view>()(bytes)) * kPrime) | 1;
  }

  /// Without what counters have counted.
  void note_expressions(nlattr* expressions) {
    if (!expressions) return;
    int left = nla_len(expressions);
    for (auto* entry = static_cast<nlattr*>(nla_data(expressions)); nla_ok(entry, left);
         entry = nla_next(entry, &left)) {
      const Attributes<NFTA_EXPR_MAX> expression(entry);
      note(expression[NFTA_EXPR_NAME]);
      if (expression.text(NFTA_EXPR_NAME) != "counter") note(expression[NFTA_EXPR_DATA]);
    }
  }

  NetlinkSocket& netfilter_;
  const std::string& table_;
  NftStructure structure_;
};

}  // namespace

Result<NftStructure> read_nft_structure(NetlinkSocket& netfilter, const std::string& table) {
  return StructureReader(netfilter, table).read();
}

}  // namespace kubecni
