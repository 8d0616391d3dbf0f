#include "k8s/protocol.hpp"

#include "base/json.hpp"

#include <netinet/in.h>

namespace kubecni {

std::optional<std::uint8_t> protocol_in(const nlohmann::json& value) {
  if (value.is_null()) return IPPROTO_TCP;
  const std::string text = text_of(value);
  if (text == "TCP") return IPPROTO_TCP;
  if (text == "UDP") return IPPROTO_UDP;
  if (text == "SCTP") return IPPROTO_SCTP;
  return std::nullopt;
}

std::string protocol_name(std::uint8_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP:
      return "tcp";
    case IPPROTO_UDP:
      return "udp";
    case IPPROTO_SCTP:
      return "sctp";
    default:
      return std::to_string(protocol);
  }
}

}  // namespace kubecni
