#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"

#include <compare>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace kubecni {

/// An element of a set of addresses, or of a map from addresses to chains.
struct AddressElement {
  std::vector<IpAddr> key;  ///< one address, or the parts of a concatenation
  std::string chain = {};   ///< of a map: the chain to jump to

  auto operator<=>(const AddressElement&) const = default;
};

/// Elements by the name of their set or map.
using AddressElements = std::map<std::string, std::set<AddressElement>>;

/// Makes the elements `before` the elements `after`, in one transaction: no packet meets half of
/// it. A key whose chain changes is deleted and added. For the table `inet TABLE` of the calling
/// thread's namespace. libnftables would read every element of all tables before each command: 0.1
/// s with 100 000 elements, where a message takes 3 µs for each element that changes. Errors:
/// ENOENT no such table, set, chain or element to delete; EEXIST; ENOBUFS. Result: whether anything
/// had to be changed.
Result<bool> change_address_elements(const std::string& table, const AddressElements& before,
                                     const AddressElements& after);

/// What is added to sets, by their names.
struct AddedToSets {
  std::map<std::string, std::vector<IpAddr>> addresses;
  std::map<std::string, std::vector<IpNet>> networks;  ///< of sets with `flags interval`
};

/// Adds it in one transaction; what is there already may be among it. For the same tables as
/// change_address_elements(). Errors: ENOENT no such table or set; EEXIST, ENOTEMPTY a network
/// overlaps another one.
Result<> add_to_sets(const std::string& table, const AddedToSets& added);

/// Those of `keys` that their sets and maps have, with their chains. It costs a question for each
/// key, whatever the sets' size. A set or table that does not exist has none.
/// Errors: EPERM no CAP_NET_ADMIN.
Result<AddressElements> find_address_elements(const std::string& table,
                                              const AddressElements& keys);

/// What the set or map has now; `parts` is the number of addresses in a key.
/// Errors: ENOENT no such table or set; EINTR it changes all the time.
Result<std::set<AddressElement>> list_address_elements(const std::string& table,
                                                       const std::string& set,
                                                       std::size_t parts = 1);

}  // namespace kubecni
