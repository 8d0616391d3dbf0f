#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "dataplane/decision_map.hpp"
#include "kubecni/abi.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace kubecni {

/// Converts between the maps' keys and plain types.
kubecni_addr4 to_addr4(const IpAddr& address);
kubecni_addr6 to_addr6(const IpAddr& address);
kubecni_cidr4_key to_cidr4_key(const IpNet& cidr);
kubecni_cidr6_key to_cidr6_key(const IpNet& cidr);

/// The neighbour or tunnel endpoint in a node's entry.
IpAddr next_hop_of(const kubecni_node& node);

/// The key of a pod on this node: its address in a network, which is the ifindex of a bridge.
struct EndpointKey {
  unsigned network = 0;
  IpAddr address;
  auto operator<=>(const EndpointKey&) const = default;
};

/// The key types of a pair of maps: addresses, endpoints, or networks.
struct AddressKeys {
  using Plain = IpAddr;
  using Key4 = kubecni_addr4;
  using Key6 = kubecni_addr6;
  static bool is_v4(const IpAddr& address) { return address.is_v4(); }
  static Key4 key4(const IpAddr& address) { return to_addr4(address); }
  static Key6 key6(const IpAddr& address) { return to_addr6(address); }
  static IpAddr plain(const Key4& key) { return IpAddr::v4(key.addr); }
  static IpAddr plain(const Key6& key) { return IpAddr::v6(key.addr); }
};

struct EndpointKeys {
  using Plain = EndpointKey;
  using Key4 = kubecni_endpoint4_key;
  using Key6 = kubecni_endpoint6_key;
  static bool is_v4(const EndpointKey& key) { return key.address.is_v4(); }
  static Key4 key4(const EndpointKey& key) { return fill<Key4>(key); }
  static Key6 key6(const EndpointKey& key) { return fill<Key6>(key); }
  static EndpointKey plain(const Key4& key) { return {key.network, IpAddr::v4(key.addr)}; }
  static EndpointKey plain(const Key6& key) { return {key.network, IpAddr::v6(key.addr)}; }

 private:
  template <typename Key>
  static Key fill(const EndpointKey& from) {
    Key key{.network = from.network, .addr = {}};
    std::copy_n(from.address.data(), sizeof(key.addr), key.addr);
    return key;
  }
};

struct NetworkKeys {
  using Plain = IpNet;
  using Key4 = kubecni_cidr4_key;
  using Key6 = kubecni_cidr6_key;
  static bool is_v4(const IpNet& cidr) { return cidr.addr.is_v4(); }
  static Key4 key4(const IpNet& cidr) { return to_cidr4_key(cidr); }
  static Key6 key6(const IpNet& cidr) { return to_cidr6_key(cidr); }
  static IpNet plain(const Key4& key) { return {IpAddr::v4(key.addr), key.prefixlen}; }
  static IpNet plain(const Key6& key) { return {IpAddr::v6(key.addr), key.prefixlen}; }
};

/// Two pinned maps, <name>4 and <name>6, used as one. Errors: those of DecisionMap.
template <typename Keys, typename Value>
class DualStackMap {
 public:
  using Plain = typename Keys::Plain;

  static Result<DualStackMap> open(const std::filesystem::path& folder, const std::string& name) {
    auto v4 = Map4::open(folder, name + "4");
    if (!v4) return fail(v4);
    auto v6 = Map6::open(folder, name + "6");
    if (!v6) return fail(v6);
    return DualStackMap(std::move(*v4), std::move(*v6));
  }

  [[nodiscard]] Result<std::optional<Value>> find(const Plain& key) const {
    return Keys::is_v4(key) ? v4_.find(Keys::key4(key)) : v6_.find(Keys::key6(key));
  }
  Result<> set(const Plain& key, const Value& value) {
    return Keys::is_v4(key) ? v4_.set(Keys::key4(key), value) : v6_.set(Keys::key6(key), value);
  }
  Result<> erase(const Plain& key) {
    return Keys::is_v4(key) ? v4_.erase(Keys::key4(key)) : v6_.erase(Keys::key6(key));
  }

  /// The entries of both.
  [[nodiscard]] Result<std::map<Plain, Value>> entries() const {
    std::map<Plain, Value> found;
    if (auto added = add_entries(v4_, found); !added) return fail(added);
    if (auto added = add_entries(v6_, found); !added) return fail(added);
    return found;
  }

 private:
  using Map4 = DecisionMap<typename Keys::Key4, Value>;
  using Map6 = DecisionMap<typename Keys::Key6, Value>;
  DualStackMap(Map4 v4, Map6 v6) : v4_(std::move(v4)), v6_(std::move(v6)) {}

  template <typename Map>
  static Result<> add_entries(const Map& map, std::map<Plain, Value>& found) {
    auto entries = map.entries();
    if (!entries) return fail(entries);
    for (const auto& [key, value] : *entries) found.emplace(Keys::plain(key), value);
    return {};
  }

  Map4 v4_;
  Map6 v6_;
};

using NodeCidrMap = DualStackMap<NetworkKeys, kubecni_node>;
using EndpointMap = DualStackMap<EndpointKeys, kubecni_endpoint>;
using TunnelPeerMap = DualStackMap<AddressKeys, kubecni_tunnel_peer>;

}  // namespace kubecni
