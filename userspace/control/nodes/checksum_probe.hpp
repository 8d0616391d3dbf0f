#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <chrono>
#include <cstdint>
#include <vector>

namespace kubecni {

/// Finds out whether the NIC computes checksums inside the tunnel correctly. Some NICs claim that
/// they can, but get them wrong: small packets then arrive, and the rest is lost.
///
/// Sends two UDP datagrams through the tunnel, from this node's bridge to a closed port of another
/// node's bridge. The checksum of one is left to the NIC, as for every program; the other one has a
/// checksum that we computed. The other kernel drops datagrams with a wrong checksum, and answers
/// the rest with "port unreachable" (RFC 1122, section 4.1.3.1), so it needs no program for this.
/// An answer counts if it comes from that node and quotes the whole datagram with its random bytes:
/// a pod can send other ICMP errors.
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

  /// Reads the answers, and asks again if they decide nothing, each time by the next way. Never
  /// blocks: call it again after kPatience. Runs in the node's namespace. Errors: those of opening
  /// sockets.
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
