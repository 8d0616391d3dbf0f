// The first bytes of a packet that a policy denied: a pod has written them.

#include "fuzz.hpp"
#include "net/packet_head.hpp"

using namespace kubecni;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto head = parse_packet_head({data, size});

  if (!head) return 0;
  fuzz::require(size >= 20, "addresses are in a whole header");
  fuzz::require(head->source.family() == head->destination.family(), "both are of one family");
  fuzz::require(!head->ports || !head->icmp_type, "a packet has one protocol");
  return 0;
}
