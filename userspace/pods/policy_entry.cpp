#include "pods/policy_entry.hpp"

#include "dataplane/policy_sets.hpp"
#include "net/address_elements.hpp"
#include "net/nft_monitor.hpp"
#include "state/attachment.hpp"
#include "state/policy_mark.hpp"

#include <algorithm>

namespace kubecni {

namespace {

using Clock = std::chrono::steady_clock;

// nftables does not report that the mark of the cluster's policies has gone.
constexpr std::chrono::milliseconds kLookAgain{200};

/// Replaces what the fixed sets have about the addresses by `wanted`.
Result<> replace_entries(const std::filesystem::path& state_dir,
                         const std::vector<IpAddr>& addresses, AddressElements wanted) {
  AddressElements keys;
  for (const IpAddr& address : addresses)
    for (const auto& [set, elements] : policy_keys_of(address))
      keys[set].insert(elements.begin(), elements.end());
  auto lock = AttachmentStore(state_dir).lock_policies();
  if (!lock) return fail(lock);
  auto found = find_address_elements(kPolicyTableName, keys);
  if (!found) return fail(found);
  for (const auto& [set, elements] : *found) wanted[set];  // what is not wanted is removed
  auto changed = change_address_elements(kPolicyTableName, *found, wanted);
  if (!changed) return fail(changed);
  return {};
}

Result<bool> are_known(const AddressElements& wanted) {
  auto found = find_address_elements(kPolicyTableName, wanted);
  if (!found) return fail(found);
  return *found == wanted;
}

AddressElements known_elements(const std::vector<IpAddr>& addresses) {
  AddressElements elements;
  for (const IpAddr& address : addresses) elements[known_set_of(address)].insert({{address}});
  return elements;
}

}  // namespace

Result<> forget_policies(const std::filesystem::path& state_dir,
                         const std::vector<IpAddr>& addresses) {
  if (addresses.empty() || !has_policies(state_dir)) return {};
  return replace_entries(state_dir, addresses, {});
}

Result<> close_by_policies(const std::filesystem::path& state_dir,
                           const std::vector<IpAddr>& addresses) {
  AddressElements closed;
  for (const IpAddr& address : addresses) closed[closed_set_of(address)].insert({{address}});
  return replace_entries(state_dir, addresses, closed);
}

Result<> open_by_policies(const std::filesystem::path& state_dir,
                          const std::vector<IpAddr>& addresses) {
  return replace_entries(state_dir, addresses, known_elements(addresses));
}

Result<bool> are_policies_known(const std::vector<IpAddr>& addresses) {
  return are_known(known_elements(addresses));
}

Result<bool> await_policies(const std::filesystem::path& state_dir,
                            const std::vector<IpAddr>& addresses,
                            std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  const AddressElements wanted = known_elements(addresses);
  auto known = are_known(wanted);
  if (!known || *known) return known;
  auto monitor = NftMonitor::open(kPolicyTableName);
  if (!monitor) return fail(monitor);
  for (;;) {
    known = are_known(wanted);
    if (!known || *known) return known;
    if (!has_policies(state_dir)) return true;  // there were some
    if (Clock::now() >= deadline) return false;
    monitor->wait_until(std::min(deadline, Clock::now() + kLookAgain));
  }
}

}  // namespace kubecni
