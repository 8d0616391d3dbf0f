#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <chrono>
#include <string>
#include <utility>

namespace kubecni {

/// Reports that a table of the family `inet` changed in the namespace; not what, nor who did it.
class NftMonitor {
 public:
  /// Listens in the namespace of the calling thread from now on; to nothing on a kernel without
  /// netfilter.
  static Result<NftMonitor> open(std::string table);

  /// Readable after any change of any table; negative on a kernel without netfilter.
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Reads the reports so far, but a bounded number. Result: whether the table changed; also true
  /// if reports were lost because they did not fit the buffer.
  bool take_changes();
  /// Waits for a report until `deadline`, and takes the changes. Result: as that of take_changes().
  bool wait_until(std::chrono::steady_clock::time_point deadline);

 private:
  NftMonitor(UniqueFd fd, std::string table) : fd_(std::move(fd)), table_(std::move(table)) {}

  UniqueFd fd_;
  std::string table_;
};

}  // namespace kubecni
