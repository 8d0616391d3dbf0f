#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <utility>

namespace kubecni {

/// Whether the network namespace of the calling thread has policies of IPsec (XFRM) for packets
/// that leave it. False on a kernel without IPsec.
Result<bool> has_ipsec_policies();

/// Reports that policies of IPsec changed in the namespace; not which ones.
class IpsecMonitor {
 public:
  /// Listens in the namespace of the calling thread from now on; to nothing on a kernel without
  /// IPsec.
  static Result<IpsecMonitor> open();

  /// Readable after a report; negative on a kernel without IPsec.
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Reads the reports so far, but a bounded number. Result: whether there were any.
  bool take_changes();

 private:
  explicit IpsecMonitor(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace kubecni
