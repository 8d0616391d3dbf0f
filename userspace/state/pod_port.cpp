#include "state/pod_port.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace kubecni {

std::vector<IpNet> PodPort::gateway_addresses() const {
  std::vector<IpNet> all;
  for (const PodAddress& address : addresses) {
    if (!owns_gateways || !address.gateway) continue;
    const IpNet own{*address.gateway, is_routed() ? address.gateway->bits() : address.net.prefix};
    if (std::ranges::find(all, own) == all.end()) all.push_back(own);
  }
  return all;
}

std::vector<IpAddr> PodPort::plain_addresses() const {
  std::vector<IpAddr> all;
  all.reserve(addresses.size());
  for (const PodAddress& address : addresses) all.push_back(address.net.addr);
  return all;
}

std::vector<IpAddr> PodPort::all_addresses() const {
  auto all = plain_addresses();
  all.push_back(pod_mac.link_local());
  return all;
}

std::string PodPort::addresses_text() const {
  std::string text;
  for (const PodAddress& address : addresses) append_word(text, address.net.str());
  return text;
}

}  // namespace kubecni
