#include "k8s/pod.hpp"

#include "base/json.hpp"
#include "k8s/object_fields.hpp"
#include "k8s/protocol.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace kubecni {

namespace {

using nlohmann::json;

template <typename Item>
void sort_unique(std::vector<Item>& items) {
  std::ranges::sort(items);
  const auto repeated = std::ranges::unique(items);
  items.erase(repeated.begin(), repeated.end());
}

/// A port without a name is nobody's concern: it opens and closes nothing.
Result<> add_named_ports(const json& containers, std::vector<NamedPort>& ports) {
  for (const json& container : containers) {
    for (const json& port : member(container, "ports")) {
      NamedPort named{.name = text_of(member(port, "name"))};
      if (named.name.empty()) continue;
      const auto protocol = protocol_in(member(port, "protocol"));
      const auto number = unsigned_of(member(port, "containerPort"));
      if (!protocol || !number || *number == 0 || *number > 65535)
        return failure(EINVAL, "the container port " + shown(port) + " is malformed");
      named.protocol = *protocol;
      named.number = static_cast<std::uint16_t>(*number);
      ports.push_back(std::move(named));
    }
  }
  return {};
}

Result<std::vector<NamedPort>> named_ports_of(const json& pod) {
  std::vector<NamedPort> ports;
  for (const char* field : {"containers", "initContainers"})
    if (auto added = add_named_ports(member(member(pod, "spec"), field), ports); !added)
      return fail(added);
  sort_unique(ports);
  return ports;
}

Result<std::vector<IpAddr>> addresses_of(const json& pod) {
  const json& status = member(pod, "status");
  std::vector<json> texts;
  for (const json& item : member(status, "podIPs")) texts.push_back(member(item, "ip"));
  if (const json& first = member(status, "podIP"); !first.is_null() && first != json(""))
    texts.push_back(first);
  std::vector<IpAddr> addresses;
  for (const json& text : texts) {
    const auto address = IpAddr::parse(text_of(text));
    if (!address) return failure(EINVAL, "the pod address " + shown(text) + " is malformed");
    addresses.push_back(*address);
  }
  sort_unique(addresses);
  return addresses;
}

/// kubelet made the object, for a pod that it has from a file.
bool is_of_static_pod(const json& object) {
  return std::ranges::any_of(
      member(member(object, "metadata"), "ownerReferences"),
      [](const json& owner) { return text_of(member(owner, "kind")) == "Node"; });
}

Result<> read_pod(const json& object, Pod& pod) {
  auto labels = parse_labels(object);
  if (!labels) return fail(labels);
  auto ports = named_ports_of(object);
  if (!ports) return fail(ports);
  auto addresses = addresses_of(object);
  if (!addresses) return fail(addresses);
  pod.labels = std::move(*labels);
  pod.ports = std::move(*ports);
  pod.addresses = std::move(*addresses);
  return {};
}

}  // namespace

Pod parse_pod(const json& object) {
  Pod pod{.space = metadata_text(object, "namespace"),
          .name = metadata_text(object, "name"),
          .uid = is_of_static_pod(object) ? "" : metadata_text(object, "uid"),
          .labels = {},
          .addresses = {},
          .ports = {}};
  const std::string phase = text_of(member(member(object, "status"), "phase"));
  pod.has_ended = phase == "Succeeded" || phase == "Failed";
  pod.uses_host_network = member(member(object, "spec"), "hostNetwork") == json(true);
  if (auto done = read_pod(object, pod); !done)
    pod.problem = "pod " + pod.key() + ": " + done.error().what;
  return pod;
}

Namespace parse_namespace(const json& object) {
  Namespace space{.name = metadata_text(object, "name"), .labels = {}};
  auto labels = parse_labels(object);
  if (!labels) {
    space.problem = "namespace " + space.name + ": " + labels.error().what;
    return space;
  }
  ObjectLabels::Map all = labels->map();
  all["kubernetes.io/metadata.name"] = space.name;
  space.labels = ObjectLabels(all);
  return space;
}

}  // namespace kubecni
