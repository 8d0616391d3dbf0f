#include "k8s/endpoint_slice.hpp"

#include "base/ip.hpp"
#include "base/json.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace kubecni {

namespace {

using nlohmann::json;

std::string with_port(const IpAddr& address, unsigned port) {
  const std::string text = address.str();
  return (address.family() == AF_INET6 ? "[" + text + "]" : text) + ":" + std::to_string(port);
}

/// The port called "https", as API servers call theirs; 0: none.
unsigned https_port(const json& slice) {
  for (const json& port : member(slice, "ports"))
    if (text_of(member(port, "name")) == "https") {
      const auto number = unsigned_of(member(port, "port"));
      return number && *number <= 65535 ? *number : 0;
    }
  return 0;
}

Result<std::vector<std::string>> addresses_in_slice(const json& slice) {
  const unsigned port = https_port(slice);
  if (port == 0) return failure(EBADMSG, "the EndpointSlice has no port called https");
  std::vector<std::string> addresses;
  for (const json& endpoint : member(slice, "endpoints")) {
    if (member(member(endpoint, "conditions"), "ready") == false) continue;
    for (const json& item : member(endpoint, "addresses"))
      if (const auto address = IpAddr::parse(text_of(item)))
        addresses.push_back(with_port(*address, port));
  }
  return addresses;
}

}  // namespace

ApiServers parse_api_servers(const json& kept) {
  auto addresses = addresses_in_slice(kept);
  return {addresses ? std::move(*addresses) : std::vector<std::string>()};
}

Result<std::vector<std::string>> parse_endpoint_slice(std::string_view text) {
  auto slice = parse_json(text);
  if (!slice) return fail(slice, "EndpointSlice");
  return addresses_in_slice(*slice);
}

}  // namespace kubecni
