#include "policy/reach.hpp"

#include "k8s/protocol.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <utility>

namespace kubecni {

namespace {

using Place = FlowEnd::Place;

bool has(const std::vector<IpAddr>& addresses, const IpAddr& address) {
  return std::ranges::find(addresses, address) != addresses.end();
}

const Pod* find_pod(const PolicyObjects& objects, const std::string& key) {
  for (const Pod& pod : objects.pods)
    if (pod.key() == key) return &pod;
  return nullptr;
}

FlowEnd end_of(const LocalPod& local) {
  FlowEnd end{.pod = local.pod, .place = Place::kHere};
  for (const IpAddr& address : local.addresses)
    if (!address.is_link_local()) end.addresses.push_back(address);
  return end;
}

FlowEnd end_of(const ReachView& view, const Pod& pod) {
  FlowEnd end{.pod = pod.key(), .addresses = pod.addresses, .place = Place::kElsewhere};
  if (!pod.uses_host_network) return end;
  const bool is_here = std::ranges::any_of(
      pod.addresses, [&](const IpAddr& address) { return has(view.node_addresses, address); });
  end.place = is_here ? Place::kNode : Place::kOutside;
  return end;
}

Result<FlowEnd> find_pod_end(const ReachView& view, const std::string& key) {
  const auto local = std::ranges::find(view.locals, key, &LocalPod::pod);
  if (local != view.locals.end()) return end_of(*local);
  const Pod* const pod = find_pod(view.objects, key);
  if (!pod) return failure(ENOENT, "there is no pod " + key);
  if (pod->has_ended || pod->addresses.empty())
    return failure(ENOENT,
                   "the pod " + key + " has " + (pod->has_ended ? "ended" : "no address yet"));
  return end_of(view, *pod);
}

FlowEnd find_address_end(const ReachView& view, const IpAddr& address) {
  FlowEnd end{.addresses = {address}};
  for (const LocalPod& local : view.locals)
    if (has(local.addresses, address))
      return {.pod = local.pod, .addresses = {address}, .place = Place::kHere};
  if (has(view.node_addresses, address)) {
    end.place = Place::kNode;
  } else if (std::ranges::any_of(view.own_pods,
                                 [&](const IpNet& net) { return net.contains(address); })) {
    end.place = Place::kHere;
  } else {
    for (const Pod& pod : view.objects.pods)
      if (pod.is_selectable() && has(pod.addresses, address))
        return {.pod = pod.key(), .addresses = {address}, .place = Place::kElsewhere};
  }
  return end;
}

std::optional<std::uint8_t> protocol_named(std::string name) {
  std::ranges::transform(name, name.begin(), [](char c) {
    return 'A' <= c && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  for (const int number : {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP})
    if (const auto protocol = static_cast<std::uint8_t>(number); protocol_name(protocol) == name)
      return protocol;
  return std::nullopt;
}

/// Empty: it is no number of a port.
std::optional<std::uint16_t> port_number(const std::string& text) {
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0) return std::nullopt;
  return number;
}

/// Those of this node, and the ends that are pods of others, as their objects say.
std::vector<LocalPod> as_locals(const ReachView& view, std::initializer_list<FlowEnd> ends) {
  std::vector<LocalPod> locals = view.locals;
  for (const FlowEnd& end : ends)
    if (end.place == Place::kElsewhere) locals.push_back({end.pod, end.addresses});
  return locals;
}

}  // namespace

Result<FlowEnd> find_end(const ReachView& view, const std::string& text) {
  if (const auto address = IpAddr::parse(text)) return find_address_end(view, *address);
  if (text.find('/') == std::string::npos)
    return failure(EINVAL, "\"" + text + "\" is neither NAMESPACE/POD nor an address");
  return find_pod_end(view, text);
}

Result<FlowPort> find_port(const ReachView& view, const std::string& text, const FlowEnd& to) {
  const auto slash = text.find('/');
  const std::string port = text.substr(0, slash);
  const auto protocol = protocol_named(slash == std::string::npos ? "tcp" : text.substr(slash + 1));
  if (!protocol || port.empty())
    return failure(EINVAL, "\"" + text +
                               "\" is not PORT or PORT/PROTOCOL; PROTOCOL is tcp, udp "
                               "or sctp");
  if (const auto number = port_number(port)) return FlowPort{*protocol, *number};
  if (const Pod* const pod = find_pod(view.objects, to.pod))
    for (const NamedPort& named : pod->ports)
      if (named.name == port && named.protocol == *protocol)
        return FlowPort{*protocol, named.number};
  return failure(ENOENT,
                 to.name() + " has no port \"" + port + "\" of " + protocol_name(*protocol));
}

std::vector<PolicyFlow> flows_between(const FlowEnd& from, const FlowEnd& to,
                                      const FlowPort& port) {
  std::vector<PolicyFlow> flows;
  for (const IpAddr& source : first_of_each_family(from.addresses))
    for (const IpAddr& destination : first_of_each_family(to.addresses))
      if (source.family() == destination.family())
        flows.push_back({source, destination, port.protocol, port.number});
  return flows;
}

Reach::Reach(const ReachView& view, FlowEnd from, FlowEnd to)
    : from_(std::move(from)),
      to_(std::move(to)),
      has_policies_(!view.objects.policies.empty()),
      compiled_(compile_policies(view.objects, as_locals(view, {from_, to_}))) {}

bool Reach::is_pod_and_node() const {
  return (from_.place == Place::kNode && to_.place == Place::kHere) ||
         (from_.place == Place::kHere && to_.place == Place::kNode);
}

bool Reach::is_judged_here() const {
  return !is_pod_and_node() && (from_.place == Place::kHere || to_.place == Place::kHere);
}

bool Reach::is_allowed_here(const PolicyFlow& flow) const {
  return (from_.place != Place::kHere || egress(flow).is_allowed) &&
         (to_.place != Place::kHere || ingress(flow).is_allowed);
}

EndVerdict Reach::verdict(const PolicyFlow& flow, const FlowEnd& end, const IpAddr& address,
                          Judge judge) const {
  if (!has_policies_) return {true, "the cluster has no policies"};
  if (flow.source == flow.destination) return {true, "a pod always reaches itself"};
  if (is_pod_and_node()) return {true, "a pod and its node always reach each other"};
  if (end.place == Place::kNode || end.place == Place::kOutside)
    return {true, "no policy is for it"};
  if (!compiled_.subjects.contains(address)) return {false, "closed, since its pod is not known"};
  const PolicyVerdict found = judge(compiled_, flow);
  if (!found.is_isolated) return {true, "no policy isolates it"};
  return {found.is_allowed, found.is_allowed ? found.by : "no rule of " + found.by};
}

EndVerdict Reach::egress(const PolicyFlow& flow) const {
  return verdict(flow, from_, flow.source, judge_egress);
}

EndVerdict Reach::ingress(const PolicyFlow& flow) const {
  return verdict(flow, to_, flow.destination, judge_ingress);
}

}  // namespace kubecni
