#include "net/offload.hpp"

#include "base/unique_fd.hpp"

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

namespace kubecni {

namespace {

/// One request of the old interface, which every kernel and driver supports. Returns the value that
/// the kernel leaves.
Result<std::uint32_t> ethtool(const std::string& name, std::uint32_t command, std::uint32_t value) {
  const std::string what = "tx-checksumming of " + name;
  ifreq request{};
  if (name.empty() || name.size() >= sizeof(request.ifr_name)) return sys_error(ENODEV, what);
  name.copy(request.ifr_name, name.size());
  ethtool_value argument{.cmd = command, .data = value};
  request.ifr_data = reinterpret_cast<char*>(&argument);
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return sys_error(errno, what);
  if (::ioctl(socket.get(), SIOCETHTOOL, &request) != 0) return sys_error(errno, what);
  return argument.data;
}

}  // namespace

Result<bool> has_tx_checksum_offload(const std::string& name) {
  auto value = ethtool(name, ETHTOOL_GTXCSUM, 0);
  if (!value) return fail(value, "read");
  return *value != 0;
}

Result<> set_tx_checksum_offload(const std::string& name, bool on) {
  auto set = ethtool(name, ETHTOOL_STXCSUM, on ? 1 : 0);
  if (!set) return fail(set, on ? "switch on" : "switch off");
  return {};
}

}  // namespace kubecni
