#include "state/port_mapping.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>

namespace kubecni {

namespace {

constexpr std::array kProtocols{PortProtocol::kTcp, PortProtocol::kUdp, PortProtocol::kSctp};

std::vector<HostPort> host_ports_of(const PortMapping& mapping) {
  std::vector<HostPort> ports;
  for (const int family : {AF_INET, AF_INET6}) {
    if (mapping.host_ip && mapping.host_ip->family() != family) continue;
    HostPort port{.family = family,
                  .host_ip = mapping.host_ip,
                  .protocol = mapping.protocol,
                  .port = mapping.host_port};
    if (port.host_ip == IpAddr::any(family)) port.host_ip.reset();
    ports.push_back(port);
  }
  return ports;
}

}  // namespace

std::string_view name_of(PortProtocol protocol) {
  switch (protocol) {
    case PortProtocol::kTcp:
      return "tcp";
    case PortProtocol::kUdp:
      return "udp";
    case PortProtocol::kSctp:
      break;
  }
  return "sctp";
}

std::optional<PortProtocol> protocol_of(std::string_view name) {
  const auto lower = [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  };
  for (const PortProtocol protocol : kProtocols)
    if (std::ranges::equal(name, name_of(protocol), {}, lower)) return protocol;
  return std::nullopt;
}

std::string HostPort::str() const {
  std::string text = std::string(name_of(protocol)) + " port " + std::to_string(port);
  if (host_ip) return text + " of " + host_ip->str();
  return text + (family == AF_INET ? "" : " (IPv6)");
}

std::string PodSocket::str() const {
  const std::string address = addr.is_v4() ? addr.str() : "[" + addr.str() + "]";
  return address + ":" + std::to_string(port);
}

std::vector<HostPort> host_ports_of(const std::vector<PortMapping>& mappings) {
  std::vector<HostPort> all;
  for (const PortMapping& mapping : mappings)
    for (const HostPort& port : host_ports_of(mapping)) all.push_back(port);
  return all;
}

HostPorts plan_host_ports(const std::vector<PortMapping>& mappings,
                          const std::vector<IpAddr>& pod_addresses) {
  HostPorts planned;
  for (const PortMapping& mapping : mappings)
    for (const HostPort& port : host_ports_of(mapping)) {
      const auto pod = std::ranges::find(pod_addresses, port.family, &IpAddr::family);
      if (pod != pod_addresses.end()) planned[port] = {*pod, mapping.pod_port};
    }
  return planned;
}

}  // namespace kubecni
