#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace kubecni {

/// Says that links, queueing disciplines, addresses, routes or routing rules of
/// the namespace changed, of either family; not which, since whoever listens looks
/// at the whole anyway.
class NetlinkMonitor {
 public:
  /// Listens in the namespace of the calling thread from now on.
  static Result<NetlinkMonitor> open();

  /// Readable when something changed.
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Forgets what was reported so far, also what did not fit the buffer.
  void drain();

 private:
  explicit NetlinkMonitor(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace kubecni
