#include "net/nft_batch.hpp"

#include "net/netlink_request.hpp"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

namespace kubecni {

namespace {

// A message has room for a page.
constexpr std::size_t kElementsPerMessage = 24;
// What nft stores beside a rule or table for people: a type, a length, the text. No kernel header
// has the types, only libnftnl.
constexpr char kCommentType = 0;

std::uint32_t number(std::uint32_t value) { return htonl(value); }

nfgenmsg header_of(std::uint8_t family, std::uint16_t resource = 0) {
  return {.nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(resource)};
}

/// The message's number, as that of an `inet` table.
NetlinkRequest request_of(int message, int flags) {
  return {NFNL_SUBSYS_NFTABLES << 8 | message, flags, header_of(NFPROTO_INET)};
}

std::string comment_bytes(const std::string& comment) {
  return std::string{kCommentType, static_cast<char>(comment.size() + 1)} + comment + '\0';
}

unsigned bytes_of(NftType type) { return type == NftType::kIp6 ? 16 : 4; }

std::uint32_t length_of(const std::vector<NftType>& fields) {
  std::uint32_t length = 0;
  for (const NftType field : fields) length += bytes_of(field);
  return length;
}

/// nft's number for fields one after another: six bits each.
std::uint32_t type_number(const std::vector<NftType>& fields) {
  std::uint32_t type = 0;
  for (const NftType field : fields) type = type << 6 | static_cast<std::uint32_t>(field);
  return type;
}

std::vector<std::uint8_t> value_of(nlattr* data) {
  nlattr* value = Attributes<NFTA_DATA_MAX>(data)[NFTA_DATA_VALUE];
  if (!value) return {};
  const auto* bytes = static_cast<const std::uint8_t*>(nla_data(value));
  return {bytes, bytes + nla_len(value)};
}

void put_jump(NetlinkRequest& request, const std::string& chain) {
  request.nest(NFTA_SET_ELEM_DATA, [&] {
    request.nest(NFTA_DATA_VERDICT, [&] {
      request.put(NFTA_VERDICT_CODE, number(static_cast<std::uint32_t>(NFT_JUMP)));
      request.put(NFTA_VERDICT_CHAIN, chain);
    });
  });
}

void put_elements(NetlinkRequest& request, std::span<const NftElement> elements) {
  const auto put = [&](int attribute, const std::vector<std::uint8_t>& bytes) {
    request.nest(attribute, [&] { request.put(NFTA_DATA_VALUE, bytes.data(), bytes.size()); });
  };
  request.nest(NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
    for (const auto& [key, value, chain, is_end] : elements)
      request.nest(NFTA_LIST_ELEM, [&] {
        put(NFTA_SET_ELEM_KEY, key);
        if (!value.empty()) put(NFTA_SET_ELEM_DATA, value);
        if (!chain.empty()) put_jump(request, chain);
        if (is_end) request.put(NFTA_SET_ELEM_FLAGS, number(NFT_SET_ELEM_INTERVAL_END));
      });
  });
}

void read_elements(const nlmsghdr* message, std::vector<NftElement>& elements) {
  const Attributes<NFTA_SET_ELEM_LIST_MAX> list(message, static_cast<nfgenmsg*>(nullptr));
  nlattr* const all = list[NFTA_SET_ELEM_LIST_ELEMENTS];
  if (!all) return;
  int left = nla_len(all);
  for (auto* entry = static_cast<nlattr*>(nla_data(all)); nla_ok(entry, left);
       entry = nla_next(entry, &left)) {
    const Attributes<NFTA_SET_ELEM_MAX> element(entry);
    const Attributes<NFTA_DATA_MAX> data(element[NFTA_SET_ELEM_DATA]);
    elements.push_back(
        {.key = value_of(element[NFTA_SET_ELEM_KEY]),
         .value = value_of(element[NFTA_SET_ELEM_DATA]),
         .chain = Attributes<NFTA_VERDICT_MAX>(data[NFTA_DATA_VERDICT]).text(NFTA_VERDICT_CHAIN)});
  }
}

}  // namespace

NftFields& NftFields::add(std::span<const std::uint8_t> field) {
  bytes_.insert(bytes_.end(), field.begin(), field.end());
  bytes_.resize((bytes_.size() + 3) / 4 * 4);
  return *this;
}

NftFields& NftFields::add_port(std::uint16_t port) {
  const std::uint16_t in_network_order = htons(port);
  return add({reinterpret_cast<const std::uint8_t*>(&in_network_order), sizeof(in_network_order)});
}

NftBatch::NftBatch(std::string table) : table_(std::move(table)) {}
NftBatch::~NftBatch() = default;

NetlinkRequest& NftBatch::start(int message, int flags) {
  requests_.push_back(std::make_unique<NetlinkRequest>(request_of(message, flags)));
  return *requests_.back();
}

void NftBatch::ensure_table(const std::string& comment) {
  NetlinkRequest& request = start(NFT_MSG_NEWTABLE, NLM_F_CREATE);
  request.put(NFTA_TABLE_NAME, table_);
  const auto bytes = comment_bytes(comment);
  request.put(NFTA_TABLE_USERDATA, bytes.data(), bytes.size());
}

void NftBatch::delete_table() { start(NFT_MSG_DELTABLE, 0).put(NFTA_TABLE_NAME, table_); }

void NftBatch::ensure_set(const std::string& name, const NftSetType& type) {
  NetlinkRequest& request = start(NFT_MSG_NEWSET, NLM_F_CREATE);
  request.put(NFTA_SET_TABLE, table_);
  request.put(NFTA_SET_NAME, name);
  request.put(NFTA_SET_ID, number(++sets_));
  request.put(NFTA_SET_KEY_TYPE, number(type_number(type.key)));
  request.put(NFTA_SET_KEY_LEN, number(length_of(type.key)));
  if (type.value.empty()) return;
  request.put(NFTA_SET_FLAGS, number(NFT_SET_MAP));
  request.put(NFTA_SET_DATA_TYPE, number(type_number(type.value)));
  request.put(NFTA_SET_DATA_LEN, number(length_of(type.value)));
}

void NftBatch::ensure_chain(const std::string& name, const std::optional<NftHook>& hook) {
  NetlinkRequest& request = start(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
  request.put(NFTA_CHAIN_TABLE, table_);
  request.put(NFTA_CHAIN_NAME, name);
  if (!hook) return;
  request.nest(NFTA_CHAIN_HOOK, [&] {
    request.put(NFTA_HOOK_HOOKNUM, number(hook->number));
    request.put(NFTA_HOOK_PRIORITY, number(static_cast<std::uint32_t>(hook->priority)));
  });
  request.put(NFTA_CHAIN_POLICY, number(NF_ACCEPT));
  request.put(NFTA_CHAIN_TYPE, std::string(hook->type));
}

void NftBatch::delete_all_rules() { start(NFT_MSG_DELRULE, 0).put(NFTA_RULE_TABLE, table_); }

void NftBatch::add_rule(const std::string& chain, const std::string& comment,
                        const std::function<void(NftRule&)>& content) {
  NetlinkRequest& request = start(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
  request.put(NFTA_RULE_TABLE, table_);
  request.put(NFTA_RULE_CHAIN, chain);
  request.nest(NFTA_RULE_EXPRESSIONS, [&] {
    NftRule rule(request);
    content(rule);
  });
  const auto bytes = comment_bytes(comment);
  request.put(NFTA_RULE_USERDATA, bytes.data(), bytes.size());
}

void NftBatch::change_elements(int message, int flags, const std::string& set,
                               const std::vector<NftElement>& elements) {
  for (std::size_t begin = 0; begin < elements.size(); begin += kElementsPerMessage) {
    NetlinkRequest& request = start(message, flags);
    request.put(NFTA_SET_ELEM_LIST_TABLE, table_);
    request.put(NFTA_SET_ELEM_LIST_SET, set);
    const auto end = std::min(begin + kElementsPerMessage, elements.size());
    put_elements(request, std::span(elements).subspan(begin, end - begin));
  }
}

void NftBatch::add_elements(const std::string& set, const std::vector<NftElement>& elements) {
  change_elements(NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, elements);
}

void NftBatch::delete_elements(const std::string& set, const std::vector<NftElement>& elements) {
  change_elements(NFT_MSG_DELSETELEM, 0, set, elements);
}

Result<> NftBatch::commit(std::string_view what) {
  if (requests_.empty()) return {};
  // A socket of its own: the kernel may answer more than one of the messages.
  auto netlink = NetlinkSocket::open(NetlinkPeer::kNetfilter);
  if (!netlink) return fail(netlink, what);
  const auto bracket = header_of(AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
  NetlinkRequest begin(NFNL_MSG_BATCH_BEGIN, 0, bracket);
  NetlinkRequest end(NFNL_MSG_BATCH_END, 0, bracket);
  std::vector<NetlinkRequest*> all{&begin};
  for (const auto& request : requests_) all.push_back(request.get());
  all.push_back(&end);
  return NetlinkRequest::exchange_batch(*netlink, all, what);
}

Result<std::optional<std::vector<NftElement>>> list_nft_elements(const std::string& table,
                                                                 const std::string& set) {
  auto netlink = NetlinkSocket::open(NetlinkPeer::kNetfilter);
  if (!netlink && netlink.error().code == EPROTONOSUPPORT) return std::nullopt;
  if (!netlink) return fail(netlink, "nftables");
  std::vector<NftElement> elements;
  NetlinkRequest request = request_of(NFT_MSG_GETSETELEM, NLM_F_DUMP);
  request.put(NFTA_SET_ELEM_LIST_TABLE, table);
  request.put(NFTA_SET_ELEM_LIST_SET, set);
  auto listed = request.dump(
      *netlink, "list " + set + " of nftables table inet " + table, [&] { elements.clear(); },
      [&](const nlmsghdr* message) { read_elements(message, elements); });
  // EINVAL is netfilter's answer if the kernel has no nftables.
  if (!listed && (listed.error().code == ENOENT || listed.error().code == EINVAL))
    return std::nullopt;
  if (!listed) return fail(listed);
  return elements;
}

Result<std::vector<NftElement>> find_nft_elements(NetlinkSocket& netfilter,
                                                  const std::string& table, const std::string& set,
                                                  const std::vector<NftElement>& keys) {
  std::vector<NftElement> elements;
  for (const NftElement& wanted : keys) {
    NetlinkRequest request = request_of(NFT_MSG_GETSETELEM, 0);
    request.put(NFTA_SET_ELEM_LIST_TABLE, table);
    request.put(NFTA_SET_ELEM_LIST_SET, set);
    put_elements(request, {&wanted, 1});
    auto found =
        request.exchange(netfilter, "look into " + set + " of nftables table inet " + table,
                         [&](const nlmsghdr* message) { read_elements(message, elements); });
    // EINVAL is netfilter's answer if the kernel has no nftables.
    if (!found && found.error().code != ENOENT && found.error().code != EINVAL) return fail(found);
  }
  return elements;
}

}  // namespace kubecni
