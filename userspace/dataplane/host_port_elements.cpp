#include "dataplane/host_port_elements.hpp"

#include <sys/socket.h>

#include <cstring>
#include <vector>

namespace kubecni {

namespace {

using Family = HostPortFamily;

const Family kFamilies[] = {
    {AF_INET, NftType::kIp4, "ports4", "address_ports4", "pods4"},
    {AF_INET6, NftType::kIp6, "ports6", "address_ports6", "pods6"},
};

std::vector<std::uint8_t> key_of(const HostPort& port) {
  NftFields fields;
  if (port.host_ip) fields.add(*port.host_ip);
  return fields.add_protocol(static_cast<std::uint8_t>(port.protocol)).add_port(port.port).bytes();
}

NftElement element_of(const HostPort& port, const PodSocket& socket) {
  return {.key = key_of(port), .value = NftFields().add(socket.addr).add_port(socket.port).bytes()};
}

/// The elements of `some` that `others` has not, or with another value.
std::vector<NftElement> ports_only_in(const HostPorts& some, const HostPorts& others,
                                      const Family& family, bool of_address) {
  std::vector<NftElement> elements;
  for (const auto& [port, socket] : some) {
    if (port.family != family.number || port.host_ip.has_value() != of_address) continue;
    const auto other = others.find(port);
    if (other == others.end() || other->second != socket)
      elements.push_back(element_of(port, socket));
  }
  return elements;
}

std::vector<NftElement> pods_only_in(const std::set<IpAddr>& some, const std::set<IpAddr>& others,
                                     const Family& family) {
  std::vector<NftElement> elements;
  for (const IpAddr& pod : some)
    if (pod.family() == family.number && !others.contains(pod))
      elements.push_back({.key = NftFields().add(pod).add(pod).bytes()});
  return elements;
}

IpAddr address_at(std::span<const std::uint8_t> bytes, int family) {
  std::uint8_t copy[16];
  std::memcpy(copy, bytes.data(), family == AF_INET ? 4 : 16);
  return family == AF_INET ? IpAddr::v4({copy[0], copy[1], copy[2], copy[3]}) : IpAddr::v6(copy);
}

std::uint16_t port_at(std::span<const std::uint8_t> bytes) {
  return static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
}

/// Leaves out what is not as we write it; false if there is no such map.
Result<bool> read_ports(const Family& family, bool of_address, HostPorts& ports) {
  auto elements =
      list_nft_elements(kHostPortTable, of_address ? family.address_ports : family.ports);
  if (!elements) return fail(elements);
  if (!*elements) return false;
  const std::size_t address_bytes = family.number == AF_INET ? 4 : 16;
  const std::size_t before_protocol = of_address ? address_bytes : 0;
  for (const NftElement& element : **elements) {
    const auto& key = element.key;
    const auto& value = element.value;
    if (key.size() != before_protocol + 8 || value.size() != address_bytes + 4) continue;
    const std::span bytes(key);
    HostPort port{.family = family.number,
                  .host_ip = {},
                  .protocol = static_cast<PortProtocol>(key[before_protocol]),
                  .port = port_at(bytes.subspan(before_protocol + 4))};
    if (of_address) port.host_ip = address_at(bytes, family.number);
    ports[port] = {address_at(value, family.number),
                   port_at(std::span(value).subspan(address_bytes))};
  }
  return true;
}

Result<bool> read_pods(const Family& family, std::set<IpAddr>& pods) {
  auto elements = list_nft_elements(kHostPortTable, family.pods);
  if (!elements) return fail(elements);
  if (!*elements) return false;
  const std::size_t address_bytes = family.number == AF_INET ? 4 : 16;
  for (const NftElement& element : **elements)
    if (element.key.size() == 2 * address_bytes)
      pods.insert(address_at(element.key, family.number));
  return true;
}

}  // namespace

std::span<const HostPortFamily> host_port_families() { return kFamilies; }

void add_element_changes(NftBatch& batch, const HostPortElements& before,
                         const HostPortElements& after) {
  for (const Family& family : kFamilies) {
    for (const bool of_address : {false, true}) {
      const std::string& map = of_address ? family.address_ports : family.ports;
      batch.delete_elements(map, ports_only_in(before.ports, after.ports, family, of_address));
      batch.add_elements(map, ports_only_in(after.ports, before.ports, family, of_address));
    }
    batch.delete_elements(family.pods, pods_only_in(before.pods, after.pods, family));
    batch.add_elements(family.pods, pods_only_in(after.pods, before.pods, family));
  }
}

HostPortElements elements_for(const HostPorts& ports) {
  HostPortElements elements{.ports = ports, .pods = {}};
  for (const auto& [port, socket] : ports) elements.pods.insert(socket.addr);
  return elements;
}

Result<std::optional<HostPortElements>> read_host_port_table() {
  HostPortElements found;
  for (const Family& family : kFamilies) {
    for (const bool of_address : {false, true}) {
      auto read = read_ports(family, of_address, found.ports);
      if (!read) return fail(read);
      if (!*read) return std::nullopt;
    }
    auto read = read_pods(family, found.pods);
    if (!read) return fail(read);
    if (!*read) return std::nullopt;
  }
  return found;
}

}  // namespace kubecni
