// What nft lists of the policies' table, and the way of a packet through it.

#include "fuzz.hpp"
#include "policy/denied_packets.hpp"
#include "policy/live_table.hpp"

#include <netinet/in.h>

#include <cerrno>

using namespace kubecni;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto table = LiveTable::parse(fuzz::text_from(data, size));

  if (!table) {
    fuzz::require(table.error().code == EBADMSG, "it is a listing or not");
    return 0;
  }
  denied_packets(*table);
  const auto verdict = table->judge({.source = IpAddr::v4({10, 0, 1, 1}),
                                     .destination = IpAddr::v4({10, 0, 0, 1}),
                                     .protocol = IPPROTO_TCP,
                                     .port = 80});
  fuzz::require(verdict || verdict.error().code == ENOTSUP, "a rule is known or refused");
  return 0;
}
