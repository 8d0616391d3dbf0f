#include "net/address_elements.hpp"

#include "net/nft_batch.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <span>
#include <utility>

namespace kubecni {

namespace {

NftElement raw_element(const AddressElement& element) {
  NftFields key;
  for (const IpAddr& part : element.key) key.add(part);
  return {.key = key.bytes(), .value = {}, .chain = element.chain};
}

AddressElement address_element(const NftElement& raw, std::size_t parts) {
  AddressElement element{.key = {}, .chain = raw.chain};
  const std::size_t size = raw.key.size() / parts;
  for (std::size_t i = 0; i < parts; ++i) {
    std::uint8_t copy[16] = {};
    std::memcpy(copy, raw.key.data() + i * size, std::min(size, sizeof(copy)));
    element.key.push_back(size == 4 ? IpAddr::v4({copy[0], copy[1], copy[2], copy[3]})
                                    : IpAddr::v6(copy));
  }
  return element;
}

std::vector<std::uint8_t> raw_key(const IpAddr& address) {
  return NftFields().add(address).bytes();
}

/// The interval of each network; one that reaches the last address has no end.
std::vector<NftElement> raw_intervals(const std::vector<IpNet>& networks) {
  std::vector<NftElement> raw;
  for (const IpNet& network : networks) {
    raw.push_back({.key = raw_key(network.network().addr)});
    const IpAddr end = network.addr.filled(network.prefix).plus(1);
    if (end != IpAddr::any(end.family())) raw.push_back({.key = raw_key(end), .is_end = true});
  }
  return raw;
}

std::vector<NftElement> missing_in(const std::set<AddressElement>& some,
                                   const std::set<AddressElement>& others) {
  std::vector<AddressElement> missing;
  std::ranges::set_difference(some, others, std::back_inserter(missing));
  std::vector<NftElement> raw(missing.size());
  std::ranges::transform(missing, raw.begin(), raw_element);
  return raw;
}

}  // namespace

Result<bool> change_address_elements(const std::string& table, const AddressElements& before,
                                     const AddressElements& after) {
  static const std::set<AddressElement> kNone;
  NftBatch batch(table);
  for (const auto& [set, wanted] : after) {
    const auto known = before.find(set);
    const auto& old = known == before.end() ? kNone : known->second;
    batch.delete_elements(set, missing_in(old, wanted));
    batch.add_elements(set, missing_in(wanted, old));
  }
  const bool is_change = !batch.is_empty();
  if (auto done = batch.commit("change elements of nftables table inet " + table); !done)
    return fail(done);
  return is_change;
}

Result<> add_to_sets(const std::string& table, const AddedToSets& added) {
  NftBatch batch(table);
  for (const auto& [set, addresses] : added.addresses) {
    std::vector<NftElement> raw;
    for (const IpAddr& address : addresses) raw.push_back({.key = raw_key(address)});
    batch.add_elements(set, raw);
  }
  for (const auto& [set, networks] : added.networks)
    batch.add_elements(set, raw_intervals(networks));
  return batch.commit("add to sets of nftables table inet " + table);
}

Result<AddressElements> find_address_elements(const std::string& table,
                                              const AddressElements& keys) {
  AddressElements found;
  auto netlink = NetlinkSocket::open(NetlinkPeer::kNetfilter);
  if (!netlink && netlink.error().code == EPROTONOSUPPORT) return found;
  if (!netlink) return fail(netlink, "nftables");
  for (const auto& [set, elements] : keys) {
    std::vector<NftElement> raw(elements.size());
    std::ranges::transform(elements, raw.begin(), raw_element);
    auto answer = find_nft_elements(*netlink, table, set, raw);
    if (!answer) return fail(answer);
    for (const NftElement& element : *answer)
      found[set].insert(address_element(element, elements.begin()->key.size()));
  }
  return found;
}

Result<std::set<AddressElement>> list_address_elements(const std::string& table,
                                                       const std::string& set, std::size_t parts) {
  auto listed = list_nft_elements(table, set);
  if (!listed) return fail(listed);
  if (!*listed) return failure(ENOENT, "no set " + set + " in nftables table inet " + table);
  std::set<AddressElement> elements;
  for (const NftElement& raw : **listed) elements.insert(address_element(raw, parts));
  return elements;
}

}  // namespace kubecni
