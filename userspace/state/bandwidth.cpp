#include "state/bandwidth.hpp"

#include <array>

namespace kubecni {

std::string rate_text(std::uint64_t bits_per_second) {
  constexpr std::array kUnits{" bit/s", " kbit/s", " Mbit/s", " Gbit/s", " Tbit/s"};
  std::size_t unit = 0;
  while (bits_per_second != 0 && bits_per_second % 1000 == 0 && unit + 1 < kUnits.size()) {
    bits_per_second /= 1000;
    ++unit;
  }
  return std::to_string(bits_per_second) + kUnits[unit];
}

std::string Bandwidth::str() const {
  if (empty()) return "";
  std::string text = "it ";
  if (ingress) text += "receives " + rate_text(ingress->rate);
  if (ingress && egress) text += " and ";
  if (egress) text += "sends " + rate_text(egress->rate);
  return text + " at most";
}

}  // namespace kubecni
