#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "state/port_mapping.hpp"

#include <optional>
#include <set>
#include <string>

namespace kubecni {

/// The nftables table that leads host ports to pods, of the family inet. Each map is asked once a
/// flow, whatever the number of ports.
inline constexpr const char* kHostPortTable = "kube-cni-hostports";

/// What the table's maps and sets have.
struct HostPortElements {
  HostPorts ports;
  /// Pods that have host ports: one that calls its own gets the bridge's address as the source, or
  /// it would answer itself.
  std::set<IpAddr> pods;

  auto operator<=>(const HostPortElements&) const = default;
};

/// The elements for these ports. Pure.
HostPortElements elements_for(const HostPorts& ports);

/// All calls work in the calling thread's namespace. Writers hold AttachmentStore's
/// lock_host_ports().

/// What the table has; empty if there is no table, a part of it is missing, or the kernel has no
/// nftables. Errors: EPERM no CAP_NET_ADMIN.
Result<std::optional<HostPortElements>> read_host_port_table();

/// Makes the table where it is missing, its rules anew, and its elements from `before` to `after`:
/// one transaction. If somebody has made it in another way, it is deleted before, with all
/// elements. Errors: EOPNOTSUPP, ENOENT, EPROTONOSUPPORT the kernel lacks a part of nftables, and
/// the error says which modules have it.
Result<> write_host_port_table(const HostPortElements& before, const HostPortElements& after);

/// The same for the elements alone: the table has to be there.
Result<> change_host_ports(const HostPortElements& before, const HostPortElements& after);

/// Absent is success. Returns whether it was there.
Result<bool> remove_host_port_table();

/// Lets what comes to 127.0.0.1 leave by `device` to a pod (route_localnet). The table has to be
/// there, which drops what others send to or from 127.0.0.0/8. Returns whether it had to be
/// written. Errors: those of ensure_sysctl().
Result<bool> ensure_localhost_ports(const std::string& device);
Result<bool> forbid_localhost_ports(const std::string& device);

}  // namespace kubecni
