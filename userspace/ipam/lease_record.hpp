#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// Who holds addresses: one interface of one container.
struct LeaseOwner {
  std::string container_id;
  std::string ifname;

  [[nodiscard]] std::string key() const { return container_id + ":" + ifname; }
  /// Parses key(); empty if `key` is not one.
  static std::optional<LeaseOwner> from_key(const std::string& key);

  auto operator<=>(const LeaseOwner&) const = default;
};

/// A network namespace; identifies it even if another one takes over the path.
struct NetnsIdentity {
  std::string path;  ///< as the runtime gave it
  std::uint64_t device = 0;
  std::uint64_t inode = 0;

  bool operator==(const NetnsIdentity&) const = default;
};

struct Lease {
  /// One of each pool set, in their order; none if an IPAM plugin holds them.
  std::vector<IpAddr> addresses;
  LeaseOwner owner;
  NetnsIdentity netns;
  std::string boot_id;  ///< of the boot that the lease was made in
};

/// The lease as the content of its record.
std::string to_text(const Lease& lease);

/// The lease in the record at `path`; empty if there is no such file.
/// Errors: EBADMSG the record is damaged; those of read_file().
Result<std::optional<Lease>> read_lease(const std::filesystem::path& path);

}  // namespace kubecni
