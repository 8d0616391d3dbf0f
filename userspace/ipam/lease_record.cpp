#include "ipam/lease_record.hpp"

#include "base/file.hpp"
#include "base/json.hpp"

#include <algorithm>
#include <cerrno>

namespace kubecni {

using nlohmann::json;

namespace {

std::uint64_t number_of(const json& value) {
  return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
}

/// The record's addresses; empty if there are none, or one is not an address.
std::optional<std::vector<IpAddr>> addresses_of(const json& record) {
  // Records from versions with one address per pod have it under "address".
  const json& list = member(record, "addresses");
  std::vector<IpAddr> addresses;
  for (const json& entry : list.is_array() ? list : json::array({member(record, "address")})) {
    const auto address = IpAddr::parse(text_of(entry));
    if (!address) return std::nullopt;
    addresses.push_back(*address);
  }
  return addresses;
}

Result<Lease> from_text(const std::string& text, const std::filesystem::path& path) {
  const json record = json::parse(text, nullptr, false);
  const auto addresses = addresses_of(record);
  Lease lease{.addresses = addresses.value_or(std::vector<IpAddr>{}),
              .owner = {text_of(member(record, "containerID")), text_of(member(record, "ifname"))},
              .netns = {text_of(member(record, "netns")), number_of(member(record, "netnsDevice")),
                        number_of(member(record, "netnsInode"))},
              .boot_id = text_of(member(record, "bootID"))};
  if (!addresses || lease.owner.container_id.empty())
    return failure(EBADMSG, "lease record " + path.string() +
                                " is damaged; its address stays taken until DEL of that container "
                                "or GC frees it");
  return lease;
}

}  // namespace

std::optional<LeaseOwner> LeaseOwner::from_key(const std::string& key) {
  const auto colon = key.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == key.size()) return std::nullopt;
  return LeaseOwner{key.substr(0, colon), key.substr(colon + 1)};
}

std::string to_text(const Lease& lease) {
  json addresses = json::array();
  for (const IpAddr& address : lease.addresses) addresses.push_back(address.str());
  return json{{"addresses", addresses},
              {"containerID", lease.owner.container_id},
              {"ifname", lease.owner.ifname},
              {"netns", lease.netns.path},
              {"netnsDevice", lease.netns.device},
              {"netnsInode", lease.netns.inode},
              {"bootID", lease.boot_id}}
             .dump(-1, ' ', false, json::error_handler_t::replace) +
         "\n";
}

Result<std::optional<Lease>> read_lease(const std::filesystem::path& path) {
  auto text = read_file(path);
  if (!text && text.error().code == ENOENT) return std::nullopt;
  if (!text) return fail(text);
  auto lease = from_text(*text, path);
  if (!lease) return fail(lease);
  return *lease;
}

}  // namespace kubecni
