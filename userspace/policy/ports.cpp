#include "policy/ports.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace kubecni {

namespace {

/// Sorted, and with those that touch each other joined; none if they are all ports.
std::vector<PortRange> merged(std::vector<PortRange> ranges) {
  std::ranges::sort(ranges);
  std::vector<PortRange> apart;
  for (const PortRange& range : ranges) {
    if (!apart.empty() && range.first <= apart.back().last + 1)
      apart.back().last = std::max(apart.back().last, range.last);
    else
      apart.push_back(range);
  }
  if (!apart.empty() && apart.front() == PortRange{0, 65535}) apart.clear();
  return apart;
}

}  // namespace

std::vector<std::uint16_t> numbers_of(const PolicyPort& port,
                                      const std::vector<NamedPort>& destination) {
  std::vector<std::uint16_t> numbers;
  for (const NamedPort& named : destination)
    if (named.name == port.name && named.protocol == port.protocol) numbers.push_back(named.number);
  return numbers;
}

std::vector<PortMatch> resolved_ports(const std::vector<PolicyPort>& ports,
                                      const std::vector<NamedPort>& destination) {
  std::map<std::uint8_t, std::vector<PortRange>> by_protocol;
  for (const PolicyPort& port : ports) {
    if (port.name.empty()) by_protocol[port.protocol].push_back({port.first, port.last});
    for (const std::uint16_t number : numbers_of(port, destination))
      by_protocol[port.protocol].push_back({number, number});
  }
  std::vector<PortMatch> matches;
  matches.reserve(by_protocol.size() + 1);
  for (auto& [protocol, ranges] : by_protocol)
    matches.push_back({.protocol = protocol, .ranges = merged(std::move(ranges))});
  if (ports.empty()) matches.push_back({});
  return matches;
}

std::vector<PortMatch> numbered_ports(const std::vector<PolicyPort>& ports) {
  return resolved_ports(ports, {});
}

}  // namespace kubecni
