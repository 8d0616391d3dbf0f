#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>

namespace kubecni::bench {

/// What a packet has beside its bytes. A program of ours takes it away, or a test run has none. So
/// a small program puts it there, and calls the other one.
enum class Beside {
  kNothing,
  kFastMark,   ///< skb->mark, as from_pod sets it
  kTunnelKey,  ///< an outer header from the peer with IPv4
};

/// A program that sets `beside`, and goes on with another one (a tail call).
class ProgCaller {
 public:
  /// `outer_source`: of kTunnelKey, host order. Errors: those of loading.
  static Result<ProgCaller> create(Beside beside, std::uint32_t outer_source, unsigned vni);

  /// From now on, calls `prog_fd`.
  Result<> call(int prog_fd);
  /// From now on, calls a program that does nothing: for what this one costs by itself.
  Result<> call_nothing();

  [[nodiscard]] int fd() const { return program_.get(); }

 private:
  ProgCaller(UniqueFd map, UniqueFd program, UniqueFd nothing)
      : map_(std::move(map)), program_(std::move(program)), nothing_(std::move(nothing)) {}
  UniqueFd map_, program_, nothing_;
};

}  // namespace kubecni::bench
