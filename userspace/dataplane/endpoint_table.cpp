#include "dataplane/endpoint_table.hpp"

#include "dataplane/pins.hpp"

#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <ranges>

namespace kubecni {

namespace {

template <std::size_t N>
void copy(const std::uint8_t* from, __u8 (&to)[N]) {
  std::copy_n(from, N, to);
}

/// The first address of the family.
std::optional<IpAddr> first_of(const std::vector<IpAddr>& addresses, int family) {
  const auto found = std::ranges::find(addresses, family, &IpAddr::family);
  return found == addresses.end() ? std::nullopt : std::optional(*found);
}

kubecni_pod_iface iface_of(const PodEndpoint& pod) {
  kubecni_pod_iface iface{};
  if (const auto v4 = first_of(pod.addresses, AF_INET)) copy(v4->data(), iface.addr4);
  if (const auto v6 = first_of(pod.addresses, AF_INET6)) copy(v6->data(), iface.addr6);
  copy(pod.pod_mac.bytes.data(), iface.pod_mac);
  iface.network = pod.network;
  return iface;
}

bool same(const kubecni_pod_iface& a, const kubecni_pod_iface& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

/// The addresses that the map has for the interface.
std::vector<IpAddr> addresses_of(const kubecni_pod_iface& iface) {
  std::vector<IpAddr> addresses;
  for (const IpAddr& address : {IpAddr::v4(iface.addr4), IpAddr::v6(iface.addr6)}) {
    if (address != IpAddr::any(address.family())) addresses.push_back(address);
  }
  return addresses;
}

bool is_interface(unsigned ifindex) {
  char name[IF_NAMESIZE];
  return ::if_indextoname(ifindex, name) != nullptr;
}

std::string map_of(const IpAddr& address) {
  return address.is_v4() ? "map endpoints4" : "map endpoints6";
}

bool has_pacer(Shaped shaped) { return shaped == Shaped::kSent || shaped == Shaped::kBoth; }

bool may_have_pacer(const PodEndpoint& pod) {
  return has_pacer(pod.shaped) || (pod.or_shaped && has_pacer(*pod.or_shaped));
}

/// `former` are those of its entry so far, if there is one.
__u32 flags_of(const PodEndpoint& pod, Shaped shaped, std::optional<__u32> former) {
  __u32 flags = KUBECNI_ENDPOINT_READY;
  if (shaped != Shaped::kNothing) flags |= KUBECNI_ENDPOINT_SHAPED;
  if (shaped == Shaped::kReceived || shaped == Shaped::kBoth) flags |= KUBECNI_ENDPOINT_SHAPED_IN;
  if (has_pacer(shaped)) flags |= KUBECNI_ENDPOINT_PACED;
  if (pod.policed == Policed::kAsIs)
    flags |= former.value_or(KUBECNI_ENDPOINT_POLICED) & KUBECNI_ENDPOINT_POLICED;
  if (pod.policed == Policed::kYes) flags |= KUBECNI_ENDPOINT_POLICED;
  return flags;
}

/// Those that an entry of the pod has and should not have, and the other way round.
__u32 wrong_flags(const PodEndpoint& pod, __u32 flags) {
  if (pod.or_shaped && flags == flags_of(pod, *pod.or_shaped, flags)) return 0;
  return flags ^ flags_of(pod, pod.shaped, flags);
}

std::string text_of_wrong_flags(__u32 wrong, __u32 wanted) {
  if (wrong & KUBECNI_ENDPOINT_POLICED)
    return wanted & KUBECNI_ENDPOINT_POLICED ? "is not marked as POLICED"
                                             : "is marked as POLICED, and no policy selects it";
  if (wrong & KUBECNI_ENDPOINT_PACED)
    return wanted & KUBECNI_ENDPOINT_PACED
               ? "is not marked as PACED, although fq keeps what it sends"
               : "is marked as PACED, and its packets would bypass a queueing discipline; "
                 "kube-cnid corrects that: does it run?";
  if (wrong & KUBECNI_ENDPOINT_SHAPED_IN)
    return wanted & KUBECNI_ENDPOINT_SHAPED_IN
               ? "is not marked as SHAPED_IN, although only what it receives is limited"
               : "is marked as SHAPED_IN, and packets would bypass a queueing discipline; "
                 "kube-cnid corrects that: does it run?";
  return wanted & KUBECNI_ENDPOINT_SHAPED
             ? "gets redirected packets, which bypass its queueing discipline; kube-cnid corrects "
               "that: does it run?"
             : "is marked as SHAPED and has no queueing discipline";
}

}  // namespace

Result<EndpointTable> EndpointTable::open(const std::filesystem::path& bpffs) {
  const PinPaths pins(bpffs);
  auto endpoints = EndpointMap::open(pins.maps, "endpoints");
  if (!endpoints) return fail(endpoints);
  auto pod_ifaces = PodIfaceMap::open(pins.maps, "pod_ifaces");
  if (!pod_ifaces) return fail(pod_ifaces);
  auto pacers = PacerMap::open(pins.maps / "pacers");
  if (!pacers) return fail(pacers);
  return EndpointTable(std::move(*endpoints), std::move(*pod_ifaces), std::move(*pacers));
}

Result<std::optional<Pacer>> EndpointTable::find_pacer(unsigned host_ifindex) const {
  auto entry = pacers_.find(host_ifindex);
  if (!entry) return fail(entry);
  if (!*entry) return std::nullopt;
  return Pacer{.rate = (*entry)->bytes_per_s,
               .burst = std::chrono::nanoseconds((*entry)->burst_ns),
               .queue = std::chrono::nanoseconds((*entry)->queue_ns)};
}

Result<bool> EndpointTable::is_paced(unsigned host_ifindex) const {
  auto pacer = find_pacer(host_ifindex);
  return pacer ? Result<bool>(pacer->has_value()) : fail(pacer);
}

/// An entry that is right stays, with its clock.
Result<> EndpointTable::set_pacer(const PodEndpoint& pod) {
  auto known = find_pacer(pod.host.ifindex);
  if (!known) return fail(known);
  if (*known == pod.pacer) return {};
  return pacers_.set(pod.host.ifindex, {.bytes_per_s = pod.pacer.rate,
                                        .burst_ns = static_cast<__u64>(pod.pacer.burst.count()),
                                        .queue_ns = static_cast<__u64>(pod.pacer.queue.count()),
                                        .clock_ns = 0,
                                        .half_clock_ns = {}});
}

Result<> EndpointTable::add(const PodEndpoint& pod) {
  if (pod.addresses.empty()) return {};
  auto former = pod_ifaces_.find(pod.host.ifindex);
  if (!former) return fail(former);
  // A recreated bridge is another network.
  if (*former && (*former)->network != pod.network) {
    if (auto erased = erase_pod(pod.host.ifindex, pod.addresses); !erased) return erased;
  }
  if (auto set = pod_ifaces_.set(pod.host.ifindex, iface_of(pod)); !set) return set;
  if (has_pacer(pod.shaped)) {
    if (auto set = set_pacer(pod); !set) return set;
  }

  kubecni_endpoint endpoint{};
  endpoint.host_ifindex = pod.host.ifindex;
  copy(pod.pod_mac.bytes.data(), endpoint.pod_mac);
  copy(pod.gateway_mac.bytes.data(), endpoint.gateway_mac);
  // By the first address of each family, programs know the pod: then they drop what has an address
  // that they do not find. So it comes last, and goes first.
  for (const IpAddr& address : pod.addresses | std::views::reverse) {
    auto former_endpoint = endpoints_.find({pod.network, address});
    if (!former_endpoint) return fail(former_endpoint);
    endpoint.flags =
        flags_of(pod, pod.shaped,
                 *former_endpoint && (*former_endpoint)->host_ifindex == pod.host.ifindex
                     ? std::optional((*former_endpoint)->flags)
                     : std::nullopt);
    if (auto set = endpoints_.set({pod.network, address}, endpoint); !set) return set;
  }
  return has_pacer(pod.shaped) ? Result<>() : pacers_.erase(pod.host.ifindex);
}

Result<std::set<unsigned>> EndpointTable::find_gone_ifaces(
    const std::vector<IpAddr>& addresses) const {
  const auto is_one = [&](const IpAddr& address) {
    return std::ranges::find(addresses, address) != addresses.end();
  };
  std::set<unsigned> found;
  auto endpoints = endpoints_.entries();
  if (!endpoints) return fail(endpoints);
  for (const auto& [key, endpoint] : *endpoints)
    if (is_one(key.address)) found.insert(endpoint.host_ifindex);
  // A process was killed between the two maps, and then the pod and its interface went.
  auto ifaces = pod_ifaces_.entries();
  if (!ifaces) return fail(ifaces);
  for (const auto& [ifindex, iface] : *ifaces)
    if (std::ranges::any_of(addresses_of(iface), is_one)) found.insert(ifindex);
  std::erase_if(found, is_interface);
  return found;
}

Result<> EndpointTable::erase_endpoint(const EndpointKey& key, unsigned host_ifindex) {
  auto endpoint = endpoints_.find(key);
  if (!endpoint) return fail(endpoint);
  if (!*endpoint || (*endpoint)->host_ifindex != host_ifindex) return {};
  return endpoints_.erase(key);
}

Result<> EndpointTable::erase_endpoints_of(unsigned host_ifindex) {
  auto endpoints = endpoints_.entries();
  if (!endpoints) return fail(endpoints);
  for (const auto& [key, endpoint] : *endpoints) {
    if (endpoint.host_ifindex != host_ifindex) continue;
    if (auto erased = endpoints_.erase(key); !erased) return erased;
  }
  return {};
}

Result<> EndpointTable::erase_pod(unsigned host_ifindex, const std::vector<IpAddr>& addresses) {
  if (auto erased = erase_ends(host_ifindex, addresses); !erased) return erased;
  return pacers_.erase(host_ifindex);
}

Result<> EndpointTable::erase_ends(unsigned host_ifindex, const std::vector<IpAddr>& addresses) {
  auto iface = pod_ifaces_.find(host_ifindex);
  if (!iface) return fail(iface);
  // Without the record, nobody knows the pod's network.
  if (!*iface) return erase_endpoints_of(host_ifindex);
  // If the lease is lost, only the map knows the address.
  std::vector<IpAddr> known = addresses_of(**iface);
  std::ranges::copy(addresses, std::back_inserter(known));
  // First remove it as a redirect target; only then stop checking what it sends.
  for (const IpAddr& address : known) {
    if (auto erased = erase_endpoint({(*iface)->network, address}, host_ifindex); !erased)
      return erased;
  }
  return pod_ifaces_.erase(host_ifindex);
}

Result<> EndpointTable::remove(unsigned host_ifindex, const std::vector<IpAddr>& addresses) {
  std::set<unsigned> ifindexes{host_ifindex};
  if (host_ifindex == 0) {
    auto gone = find_gone_ifaces(addresses);
    if (!gone) return fail(gone);
    ifindexes = std::move(*gone);
  }
  for (const unsigned ifindex : ifindexes) {
    if (auto erased = erase_pod(ifindex, addresses); !erased) return erased;
  }
  return {};
}

Result<std::size_t> EndpointTable::remove_gone(const std::set<unsigned>& links) {
  auto endpoints = endpoints_.entries();
  if (!endpoints) return fail(endpoints);
  auto ifaces = pod_ifaces_.entries();
  if (!ifaces) return fail(ifaces);
  auto pacers = pacers_.entries();
  if (!pacers) return fail(pacers);
  std::set<unsigned> gone;
  for (const auto& [key, endpoint] : *endpoints) gone.insert(endpoint.host_ifindex);
  for (const auto& [ifindex, iface] : *ifaces) gone.insert(ifindex);
  for (const auto& [ifindex, pacer] : *pacers) gone.insert(ifindex);
  std::erase_if(gone,
                [&](unsigned ifindex) { return links.contains(ifindex) || is_interface(ifindex); });
  for (const unsigned ifindex : gone) {
    if (auto erased = erase_pod(ifindex, {}); !erased) return fail(erased);
    // Also finds entries under another network than the record's.
    if (auto erased = erase_endpoints_of(ifindex); !erased) return fail(erased);
  }
  return gone.size();
}

Result<> EndpointTable::compare_endpoint(const PodEndpoint& pod, const IpAddr& address,
                                         std::vector<std::string>& found) const {
  auto endpoint = endpoints_.find({pod.network, address});
  if (!endpoint) return fail(endpoint);
  if (!*endpoint)
    found.push_back(map_of(address) + " has no entry for " + address.str());
  else if ((*endpoint)->host_ifindex != pod.host.ifindex)
    found.push_back(map_of(address) + " has another interface for " + address.str());
  else if (!((*endpoint)->flags & KUBECNI_ENDPOINT_READY))
    found.push_back("endpoint " + address.str() + " is not READY");
  else if (const __u32 wrong = wrong_flags(pod, (*endpoint)->flags); wrong != 0)
    found.push_back("endpoint " + address.str() + " " +
                    text_of_wrong_flags(wrong, flags_of(pod, pod.shaped, (*endpoint)->flags)));
  return {};
}

Result<bool> EndpointTable::knows(const PodEndpoint& pod) const {
  auto iface = pod_ifaces_.find(pod.host.ifindex);
  if (!iface || *iface) return iface ? Result<bool>(true) : fail(iface);
  for (const IpAddr& address : pod.addresses) {
    auto endpoint = endpoints_.find({pod.network, address});
    if (!endpoint || *endpoint) return endpoint ? Result<bool>(true) : fail(endpoint);
  }
  return false;
}

Result<> EndpointTable::compare(const PodEndpoint& pod, std::vector<std::string>& found) const {
  auto iface = pod_ifaces_.find(pod.host.ifindex);
  if (!iface) return fail(iface);
  if (!*iface && !pod.addresses.empty())
    found.push_back("map pod_ifaces has no entry for " + pod.host.name);
  else if (*iface && (*iface)->network != pod.network)
    found.push_back("map pod_ifaces has another bridge for " + pod.host.name);
  else if (*iface && !same(**iface, iface_of(pod)))
    found.push_back("map pod_ifaces has another pod for " + pod.host.name);
  auto pacer = find_pacer(pod.host.ifindex);
  if (!pacer) return fail(pacer);
  const bool is_right =
      *pacer ? may_have_pacer(pod) && **pacer == pod.pacer : !has_pacer(pod.shaped);
  if (!is_right) found.push_back("map pacers has another limit for " + pod.host.name);
  for (const IpAddr& address : pod.addresses) {
    if (auto compared = compare_endpoint(pod, address, found); !compared) return compared;
  }
  return {};
}

}  // namespace kubecni
