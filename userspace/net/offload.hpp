#pragma once

#include "base/result.hpp"

#include <string>

namespace kubecni {

/// Whether the device `name` leaves transport checksums to the next device that sends the frame
/// (`ethtool -k`: tx-checksumming). Works in the calling thread's namespace.
/// Errors: ENODEV no such device.
Result<bool> has_tx_checksum_offload(const std::string& name);

/// Switches that on or off. If off, the kernel computes checksums before the frame reaches the
/// device, and cuts large packets itself.
/// Errors: ENODEV no such device; EOPNOTSUPP it cannot be switched.
Result<> set_tx_checksum_offload(const std::string& name, bool on);

}  // namespace kubecni
