#include "state/attachment.hpp"

#include "base/file.hpp"
#include "base/fnv.hpp"
#include "base/json.hpp"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <set>
#include <string_view>

namespace kubecni {

using nlohmann::json;

namespace {

json to_json(const std::vector<PodAddress>& addresses) {
  json list = json::array();
  for (const auto& [net, gateway] : addresses)
    list.push_back({{"address", net.str()}, {"gateway", gateway ? gateway->str() : ""}});
  return list;
}

json to_json(const std::vector<PodRoute>& routes) {
  json list = json::array();
  for (const auto& [dst, gateway] : routes)
    list.push_back({{"dst", dst.str()}, {"gateway", gateway.str()}});
  return list;
}

json to_json(const std::vector<PortMapping>& mappings) {
  json list = json::array();
  for (const auto& [protocol, host_port, pod_port, host_ip] : mappings)
    list.push_back({{"protocol", name_of(protocol)},
                    {"hostPort", host_port},
                    {"containerPort", pod_port},
                    {"hostIP", host_ip ? host_ip->str() : ""}});
  return list;
}

json to_json(const Bandwidth& bandwidth) {
  const RateLimit ingress = bandwidth.ingress.value_or(RateLimit{});
  const RateLimit egress = bandwidth.egress.value_or(RateLimit{});
  return {{"ingressRate", ingress.rate},
          {"ingressBurst", ingress.burst},
          {"egressRate", egress.rate},
          {"egressBurst", egress.burst}};
}

json to_json(const Attachment& attachment) {
  const PodPort& port = attachment.port;
  return {{"network", attachment.network},
          {"containerID", attachment.container_id},
          {"netns", attachment.netns},
          {"pod", attachment.pod},
          {"podUID", attachment.pod_uid},
          {"bridge", port.bridge},
          {"uplink", port.uplink},
          {"hostInterface", port.host_ifname},
          {"hostMAC", port.host_mac.str()},
          {"podInterface", port.pod_ifname},
          {"podMAC", port.pod_mac.str()},
          {"addresses", to_json(port.addresses)},
          {"routes", to_json(port.routes)},
          {"ownsGateways", port.owns_gateways},
          {"gatewayMAC", port.gateway_mac.str()},
          {"mtu", port.mtu},
          {"portMappings", to_json(attachment.mappings)},
          {"bandwidth", to_json(attachment.bandwidth)},
          {"shaped", attachment.shaped},
          {"ebpf", attachment.ebpf},
          {"hooks", attachment.hooks == AttachKind::kTcx ? "tcx" : "clsact"},
          {"fallbackReason", attachment.fallback_reason}};
}

/// The member `key` as a `Type`, by its parse(). Throws what nlohmann::json throws,
/// and std::invalid_argument.
template <typename Type>
Type parsed(const json& record, const char* key) {
  const auto value = Type::parse(record.at(key).get<std::string>());
  if (!value) throw std::invalid_argument(key);
  return *value;
}

unsigned number_in(const json& record, const char* key) {
  const auto number = unsigned_of(record.at(key));
  if (!number) throw std::invalid_argument(key);
  return *number;
}

std::vector<PodAddress> addresses_in(const json& list) {
  std::vector<PodAddress> addresses;
  for (const json& entry : list.get_ref<const json::array_t&>()) {
    PodAddress address{parsed<IpNet>(entry, "address"), std::nullopt};
    if (entry.at("gateway") != "") address.gateway = parsed<IpAddr>(entry, "gateway");
    addresses.push_back(address);
  }
  return addresses;
}

std::vector<PodRoute> routes_in(const json& list) {
  std::vector<PodRoute> routes;
  for (const json& entry : list.get_ref<const json::array_t&>())
    routes.push_back({parsed<IpNet>(entry, "dst"), parsed<IpAddr>(entry, "gateway")});
  return routes;
}

std::uint16_t port_in(const json& record, const char* key) {
  const unsigned number = number_in(record, key);
  if (number == 0 || number > 65535) throw std::invalid_argument(key);
  return static_cast<std::uint16_t>(number);
}

std::vector<PortMapping> mappings_in(const json& list) {
  std::vector<PortMapping> mappings;
  for (const json& entry : list.get_ref<const json::array_t&>()) {
    const auto protocol = protocol_of(entry.at("protocol").get_ref<const std::string&>());
    if (!protocol) throw std::invalid_argument("protocol");
    PortMapping mapping{.protocol = *protocol,
                        .host_port = port_in(entry, "hostPort"),
                        .pod_port = port_in(entry, "containerPort"),
                        .host_ip = {}};
    if (entry.at("hostIP") != "") mapping.host_ip = parsed<IpAddr>(entry, "hostIP");
    mappings.push_back(mapping);
  }
  return mappings;
}

std::uint64_t bits_in(const json& record, const char* key) {
  const auto* bits = record.at(key).get_ptr<const json::number_unsigned_t*>();
  if (!bits) throw std::invalid_argument(key);
  return *bits;
}

std::optional<RateLimit> limit_in(const json& record, const char* rate, const char* burst) {
  const RateLimit limit{.rate = bits_in(record, rate), .burst = bits_in(record, burst)};
  return limit.rate == 0 ? std::nullopt : std::optional(limit);
}

Bandwidth bandwidth_in(const json& record) {
  return {.ingress = limit_in(record, "ingressRate", "ingressBurst"),
          .egress = limit_in(record, "egressRate", "egressBurst")};
}

AttachKind kind_in(const json& name) {
  if (name.get<std::string>() == "tcx") return AttachKind::kTcx;
  if (name == "clsact") return AttachKind::kClsact;
  throw std::invalid_argument("hooks");
}

/// Throws the same as parsed().
Attachment from_json(const json& record) {
  return {
      .network = record.at("network"),
      .container_id = record.at("containerID"),
      .netns = record.at("netns"),
      .pod = record.at("pod"),
      .pod_uid = record.value("podUID", ""),  // older records lack it
      .port = {.bridge = record.at("bridge"),
               .uplink = record.value("uplink", ""),  // older records lack it
               .host_ifname = record.at("hostInterface"),
               .host_mac = parsed<MacAddr>(record, "hostMAC"),
               .pod_ifname = record.at("podInterface"),
               .pod_mac = parsed<MacAddr>(record, "podMAC"),
               .addresses = addresses_in(record.at("addresses")),
               .routes = routes_in(record.at("routes")),
               .owns_gateways = record.at("ownsGateways"),
               // Older records lack it; such pods learn it by themselves.
               .gateway_mac = record.contains("gatewayMAC") ? parsed<MacAddr>(record, "gatewayMAC")
                                                            : MacAddr{},
               .mtu = number_in(record, "mtu")},
      // Records of builds that made no mappings lack them.
      .mappings = record.contains("portMappings") ? mappings_in(record.at("portMappings"))
                                                  : std::vector<PortMapping>{},
      // Likewise those of builds that limited no bandwidth.
      .bandwidth =
          record.contains("bandwidth") ? bandwidth_in(record.at("bandwidth")) : Bandwidth{},
      .shaped = record.at("shaped"),
      .ebpf = record.at("ebpf"),
      .hooks = kind_in(record.at("hooks")),
      .fallback_reason = record.at("fallbackReason")};
}

Result<Attachment> read_attachment(const std::filesystem::path& path) {
  auto text = read_file(path);
  if (!text) return fail(text);
  try {
    return from_json(json::parse(*text));
  } catch (const std::exception& error) {
    return failure(EBADMSG, "attachment record " + path.string() + " is damaged: " + error.what());
  }
}

}  // namespace

std::string host_ifname_for(const std::string& network, const std::string& container_id,
                            const std::string& ifname) {
  // An interface name has 15 characters, which leaves room for 44 bits of the hash.
  const auto hash = fnv1a<std::uint64_t>(network + "/" + container_id + "/" + ifname);
  char name[16];
  std::snprintf(name, sizeof(name), "veth%011llx",
                static_cast<unsigned long long>(hash & 0xfffffffffff));
  return name;
}

bool is_host_ifname(const std::string& name) {
  constexpr std::string_view kPrefix = "veth";
  return name.size() == kPrefix.size() + 11 && name.starts_with(kPrefix) &&
         name.find_first_not_of("0123456789abcdef", kPrefix.size()) == std::string::npos;
}

Result<FileLock> AttachmentStore::lock() const {
  constexpr std::chrono::seconds kTimeout{10};  // others hold it for well under a millisecond
  if (auto made = ensure_directory(folder_); !made) return fail(made);
  return FileLock::acquire(folder_ / ".lock", kTimeout);
}

Result<FileLock> AttachmentStore::lock_host_ports() const {
  constexpr std::chrono::seconds kTimeout{30};  // a hundred pods at once, a few milliseconds each
  if (auto made = ensure_directory(folder_); !made) return fail(made);
  return FileLock::acquire(folder_ / ".host-ports.lock", kTimeout);
}

Result<FileLock> AttachmentStore::lock_policies() const {
  constexpr std::chrono::seconds kTimeout{30};  // to write a thousand chains takes seconds
  if (auto made = ensure_directory(folder_); !made) return fail(made);
  return FileLock::acquire(folder_ / ".policies.lock", kTimeout);
}

Result<> AttachmentStore::save(const Attachment& attachment) const {
  auto locked = lock();
  return locked ? save(*locked, attachment) : fail(locked);
}

Result<> AttachmentStore::save(const FileLock& /*held*/, const Attachment& attachment) const {
  const auto folder = folder_ / attachment.network;
  if (auto made = ensure_directory(folder); !made) return made;
  return write_file_atomically(
      folder / attachment.key(),
      to_json(attachment).dump(2, ' ', false, json::error_handler_t::replace) + "\n", 0600);
}

Result<std::optional<Attachment>> AttachmentStore::find(const std::string& network,
                                                        const std::string& container_id,
                                                        const std::string& ifname) const {
  auto attachment = read_attachment(folder_ / network / (container_id + ":" + ifname));
  if (!attachment && attachment.error().code == ENOENT) return std::nullopt;
  if (!attachment) return fail(attachment);
  return *attachment;
}

Result<> AttachmentStore::remove(const std::string& network, const std::string& container_id,
                                 const std::string& ifname) const {
  const auto path = folder_ / network / (container_id + ":" + ifname);
  std::error_code ignored;
  if (!std::filesystem::exists(path.parent_path(), ignored)) return {};
  auto locked = lock();
  if (!locked) return fail(locked);
  if (auto removed = delete_file(unfinished_name(path)); !removed) return removed;
  return delete_file(path);
}

Result<std::vector<std::string>> AttachmentStore::keys(const std::string& network) const {
  auto names = list_directory(folder_ / network);
  if (!names) return fail(names);
  std::set<std::string> keys;
  for (const auto& name : *names) keys.insert(finished_name(name));
  return std::vector<std::string>(keys.begin(), keys.end());
}

Result<std::vector<std::filesystem::path>> AttachmentStore::folders() const {
  std::vector<std::filesystem::path> folders;
  auto networks = list_directory(folder_);
  if (!networks) return fail(networks);
  for (const auto& network : *networks)
    if (!network.starts_with('.')) folders.push_back(folder_ / network);  // else a lock
  return folders;
}

Result<AttachmentStore::Listing> AttachmentStore::list() const {
  Listing listing;
  auto networks = folders();
  if (!networks) return fail(networks);
  for (const auto& folder : *networks) {
    auto keys = list_directory(folder);
    if (!keys) return fail(keys);
    for (const auto& key : *keys) {
      if (key.starts_with('.')) continue;  // being written
      auto attachment = read_attachment(folder / key);
      if (attachment)
        listing.attachments.push_back(std::move(*attachment));
      else if (attachment.error().code != ENOENT)
        listing.damaged.push_back(attachment.error().what);
    }
  }
  return listing;
}

}  // namespace kubecni
