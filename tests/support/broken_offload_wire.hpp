#pragma once

#include "base/unique_fd.hpp"
#include "support/pod.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace kubecni::test {

/// A wire between two namespaces. Its NICs promise to fill in transport checksums, but do not
/// inside of UDP tunnels, like some NICs and hypervisors: small packets with their own checksum
/// arrive, a TCP transfer through a tunnel does not. All other packets get their checksums, and
/// large ones are cut.
class BrokenOffloadWire {
 public:
  /// Gives each a NIC `eth0` with its addresses ("192.0.2.1/24"). UDP to
  /// `tunnel_port` is a tunnel.
  BrokenOffloadWire(const NetNs& one, const std::vector<std::string>& addresses_one,
                    const NetNs& other, const std::vector<std::string>& addresses_other,
                    std::uint16_t tunnel_port);
  BrokenOffloadWire(const BrokenOffloadWire&) = delete;
  BrokenOffloadWire& operator=(const BrokenOffloadWire&) = delete;
  ~BrokenOffloadWire();

  /// How many packets left with an unfilled checksum.
  [[nodiscard]] std::uint64_t spoilt() const { return spoilt_; }

 private:
  void relay();
  void pass_on(int from, int to);

  std::array<std::string, 2> links_;
  std::array<UniqueFd, 2> sockets_;
  std::uint16_t tunnel_port_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> spoilt_ = 0;
  std::thread thread_;
};

}  // namespace kubecni::test
