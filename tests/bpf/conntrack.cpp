#include "conntrack.hpp"

#include <sstream>
#include <vector>

namespace kubecni::test {

void add_connection(const Connection& connection) {
  const bool is_v6 = connection.family.af == AF_INET6;
  const bool is_tcp = connection.protocol == IPPROTO_TCP;
  std::vector<std::string> argv{"conntrack", "-I"};
  const auto add = [&](std::initializer_list<std::string> more) { argv.insert(argv.end(), more); };
  add({"-p", is_tcp ? "tcp" : "udp", "-s", connection.src, "-d", connection.dst});
  add({"--sport", std::to_string(connection.src_port)});
  add({"--dport", std::to_string(connection.dst_port), "--timeout",
       std::to_string(connection.timeout_s)});
  if (is_tcp) add({"--state", connection.is_answered ? connection.tcp_state : "SYN_SENT"});
  if (connection.is_answered)
    add({"-u", connection.is_assured ? "SEEN_REPLY,ASSURED" : "SEEN_REPLY"});
  if (connection.mark != 0) add({"--mark", std::to_string(connection.mark)});
  const std::string& to = connection.translated_dst;
  if (!to.empty()) add({"--dst-nat", is_v6 ? "[" + to + "]:8080" : to + ":8080"});
  if (!connection.translated_src.empty()) add({"--src-nat", connection.translated_src});
  must_run({.argv = argv});
}

std::uint32_t time_left_s() {
  // "tcp 6 431999 ESTABLISHED src=...", after the family and its number.
  const std::string listed = must_run({.argv = {"conntrack", "-L", "-o", "extended"}});
  std::istringstream words(listed);
  std::string skipped;
  std::uint32_t seconds = 0;
  words >> skipped >> skipped >> skipped >> skipped >> seconds;
  return seconds;
}

void forget_connections() { must_run({.argv = {"conntrack", "-F", "conntrack"}}); }

}  // namespace kubecni::test
