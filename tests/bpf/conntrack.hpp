#pragma once

#include "fixture.hpp"

#include <string>

namespace kubecni::test {

/// An entry of the kernel's conntrack in the tests' namespace: what a client sends, and netfilter's
/// translation of source and destination, if any.
struct Connection {
  const Family& family;
  std::uint8_t protocol = IPPROTO_TCP;
  std::string src, dst;
  std::uint16_t src_port = 7000, dst_port = 80;
  std::string translated_src = {};
  std::string translated_dst = {};  ///< the port becomes 8080
  bool is_answered = true;
  bool is_assured = true;                 ///< of an answered one: the handshake is complete
  std::string tcp_state = "ESTABLISHED";  ///< of an answered one
  std::uint32_t mark = 0;
  std::uint32_t timeout_s = 1000;
};

/// Makes the entry, with the program conntrack.
void add_connection(const Connection& connection);
/// For how long the only entry will stay, in seconds.
std::uint32_t time_left_s();
/// Removes all entries.
void forget_connections();

}  // namespace kubecni::test
