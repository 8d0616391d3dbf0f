#include "conntrack.hpp"

#include <vector>

namespace kubecni::test {

void add_connection(const Connection& connection) {
  const bool is_v6 = connection.family.af == AF_INET6;
  const bool is_tcp = connection.protocol == IPPROTO_TCP;
  std::vector<std::string> argv{"conntrack", "-I"};
  const auto add = [&](std::initializer_list<std::string> more) { argv.insert(argv.end(), more); };
  add({"-p", is_tcp ? "tcp" : "udp", "-s", connection.src, "-d", connection.dst});
  add({"--sport", std::to_string(connection.src_port)});
  add({"--dport", std::to_string(connection.dst_port), "--timeout", "100"});
  if (is_tcp) add({"--state", connection.is_answered ? "ESTABLISHED" : "SYN_SENT"});
  if (connection.is_answered) add({"-u", "SEEN_REPLY"});
  const std::string& to = connection.translated_dst;
  if (!to.empty()) add({"--dst-nat", is_v6 ? "[" + to + "]:8080" : to + ":8080"});
  if (!connection.translated_src.empty()) add({"--src-nat", connection.translated_src});
  must_run({.argv = argv});
}

void forget_connections() { must_run({.argv = {"conntrack", "-F", "conntrack"}}); }

}  // namespace kubecni::test
