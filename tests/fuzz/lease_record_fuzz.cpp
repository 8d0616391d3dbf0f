// The record of an address lease, under the name of its owner and of its address.

#include "base/file.hpp"
#include "fuzz.hpp"
#include "ipam/lease_store.hpp"

using namespace kubecni;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path folder = fuzz::scratch_folder() / "ipam/net";
  static const bool made = ensure_directory(folder / "by-owner").has_value() &&
                           ensure_directory(folder / "by-address").has_value();
  require(made, "the store has its folders");
  const LeaseOwner owner{"pod1", "eth0"};
  const auto by_owner = folder / "by-owner" / owner.key();
  const auto by_address = folder / "by-address/10.200.0.2";
  fuzz::put_file(by_owner, fuzz::text_from(data, size));
  std::filesystem::create_hard_link(by_owner, by_address);
  LeaseStore leases(fuzz::scratch_folder(), "net");

  const auto lease = leases.find(owner);
  if (lease && *lease) require((*lease)->owner == owner, "a lease is its owner's");
  require(leases.owners().value() == std::vector{owner}, "a record is listed whatever is in it");

  require(leases.release(owner).has_value(), "a lease can be released whatever is in its record");
  require(!std::filesystem::exists(by_owner), "a released lease has no record");
  // A record that names another address leaves the one that it was linked to.
  std::filesystem::remove(by_address);
  return 0;
}
