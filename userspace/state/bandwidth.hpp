#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace kubecni {

/// The limit of one direction.
struct RateLimit {
  std::uint64_t rate = 0;   ///< bits per second of frames, with their Ethernet header
  std::uint64_t burst = 0;  ///< bits that may pass at once after a pause; 0: what suits the rate

  bool operator==(const RateLimit&) const = default;
};

/// What kube-cni limits a pod to. CNI's names: "ingress" is what the pod receives.
struct Bandwidth {
  std::optional<RateLimit> ingress;
  std::optional<RateLimit> egress;

  bool operator==(const Bandwidth&) const = default;
  [[nodiscard]] bool empty() const { return !ingress && !egress; }
  /// "it receives 10 Mbit/s and sends 500 kbit/s at most".
  [[nodiscard]] std::string str() const;
};

/// "10 Mbit/s", in the largest unit of which it is a whole number.
std::string rate_text(std::uint64_t bits_per_second);

}  // namespace kubecni
