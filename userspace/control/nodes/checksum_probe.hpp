#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <chrono>
#include <cstdint>
#include <vector>

namespace kubecni {

/// Finds out whether checksums that are left to the NIC arrive right through the
/// tunnel. NICs that cannot do so for what is inside a tunnel, and do not say so,
/// let small packets pass and lose the rest.
///
/// Two UDP datagrams go to a closed port of another node, from bridge to bridge, whose
/// addresses are those to which the tunnel leads in both directions: one as every program sends it,
/// whose checksum the kernel leaves to the device, and one with a checksum that we computed. The
/// other kernel drops what has a wrong checksum and answers the rest with "port unreachable" (RFC
/// 1122, section 4.1.3.1). So nobody has to cooperate. An answer counts if it comes from that node
/// and quotes all of the datagram, in which random bytes are: a pod can send other ICMP errors.
class ChecksumProbe {
 public:
  /// The addresses of this node's bridge and another's, of one family.
  struct Way {
    IpAddr from;
    IpAddr to;
  };

  using Bytes = std::vector<std::uint8_t>;

  enum class Verdict {
    kUndecided,
    kRight,   ///< what was left to the device arrived
    kBroken,  ///< several times only what we computed arrived
  };

  /// Reads what was answered, and asks again where that decides nothing; the ways take
  /// turns. Never blocks: call it again after kPatience. Runs in the node's
  /// namespace. Errors: those of opening sockets.
  Result<Verdict> step(const std::vector<Way>& ways);

  /// How long an answer may take.
  static constexpr std::chrono::milliseconds kPatience{300};

 private:
  void read_answers();
  Result<> ask(const Way& way);

  UniqueFd offloaded_;
  UniqueFd computed_;
  Bytes offloaded_bytes_;  ///< what was sent by each, as an error quotes it
  Bytes computed_bytes_;
  IpAddr asked_;  ///< who has to answer
  std::chrono::steady_clock::time_point asked_at_{};
  std::size_t next_way_ = 0;
  unsigned only_computed_ = 0;  ///< rounds in a row in which only that was answered
  Verdict verdict_ = Verdict::kUndecided;
};

}  // namespace kubecni
