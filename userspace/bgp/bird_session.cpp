#include "bgp/bird_session.hpp"

#include <sstream>

namespace kubecni {

namespace {

constexpr unsigned kProtocolRow = 1002;

/// Without runs of blanks.
std::string rest_of(std::istringstream& words) {
  std::string rest, word;
  while (words >> word) rest += (rest.empty() ? "" : " ") + word;
  return rest;
}

}  // namespace

std::vector<BirdProtocol> protocols_in(const std::vector<BirdLine>& answer) {
  std::vector<BirdProtocol> protocols;
  for (const BirdLine& line : answer) {
    if (line.code != kProtocolRow) continue;
    std::istringstream words(line.text);
    BirdProtocol protocol;
    std::string table, since;
    if (!(words >> protocol.name >> protocol.kind >> table >> protocol.state >> since)) continue;
    protocol.info = rest_of(words);
    protocols.push_back(std::move(protocol));
  }
  return protocols;
}

std::string session_state(const BirdProtocol& protocol) {
  if (protocol.info.empty()) return protocol.state;
  const auto end = protocol.info.find(' ');
  if (end == std::string::npos) return protocol.info;
  return protocol.info.substr(0, end) + ": " + protocol.info.substr(end + 1);
}

bool lacks_port(const BirdProtocol& protocol) {
  // Later the text stays, as the last error.
  return protocol.state == "down" && protocol.info.find("No listening socket") != std::string::npos;
}

}  // namespace kubecni
