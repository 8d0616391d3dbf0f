#include "control/policy/denied_log.hpp"

#include "base/text.hpp"
#include "k8s/protocol.hpp"
#include "net/nftables.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cctype>

namespace kubecni {

namespace {

std::string named(const IpAddr& address, const PolicyObjects& objects) {
  for (const auto* pods : {&objects.pods, &objects.peers})
    for (const Pod& pod : *pods)
      if (pod.is_selectable() && std::ranges::binary_search(pod.addresses, address))
        return pod.key() + "(" + address.str() + ")";
  return address.str();
}

std::string shown_protocol(std::uint8_t protocol) {
  if (protocol == IPPROTO_ICMP) return "ICMP";
  if (protocol == IPPROTO_ICMPV6) return "ICMPv6";
  std::string name = protocol_name(protocol);
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

}  // namespace

std::optional<LoggedDenial> describe_denial(const LoggedPacket& packet,
                                            const CompiledPolicy& policy,
                                            const PolicyObjects& objects) {
  // "in_1" of "in_14r": with a family, and "r" for answers.
  std::string chain = packet.prefix;
  const bool is_answer = chain.ends_with('r');
  if (is_answer) chain.pop_back();
  if (!chain.ends_with('4') && !chain.ends_with('6')) return std::nullopt;
  chain.pop_back();
  const auto found = policy.chains.find(chain);
  if (found == policy.chains.end()) return std::nullopt;
  const PacketHead& head = packet.head;
  LoggedDenial denial{
      .from = named(head.source, objects),
      .to = named(head.destination, objects),
      .protocol = shown_protocol(head.protocol),
      .port = {},
      .icmp_type = {},
      .policies = joined(found->second.policies, ","),
      .direction = found->second.direction == PolicyDirection::kIngress ? "ingress" : "egress",
      .is_answer = is_answer};
  if (head.ports)
    denial.port = std::to_string(is_answer ? head.ports->source : head.ports->destination);
  if (head.icmp_type) denial.icmp_type = std::to_string(*head.icmp_type);
  return denial;
}

Result<DeniedLog> DeniedLog::open() {
  auto packets = PacketLog::open(kDeniedLogGroup);
  if (!packets) return fail(packets);
  auto nftables = Nftables::open();
  if (!nftables) return fail(nftables);
  auto tried = nftables->run(
      "add table inet kube-cni-trial\n"
      "add limit inet kube-cni-trial denied { rate 10/second; }\n"
      "add chain inet kube-cni-trial trial\n"
      "add rule inet kube-cni-trial trial limit name \"denied\" log group " +
      std::to_string(kDeniedLogGroup) + "\ndelete table inet kube-cni-trial\n");
  if (!tried) return fail(tried, "rules that log");
  return DeniedLog(std::move(*packets));
}

std::vector<LoggedDenial> DeniedLog::take(const CompiledPolicy& policy,
                                          const PolicyObjects& objects) {
  std::vector<LoggedDenial> denials;
  for (const LoggedPacket& packet : packets_.take())
    if (auto denial = describe_denial(packet, policy, objects))
      denials.push_back(std::move(*denial));
  return denials;
}

}  // namespace kubecni
