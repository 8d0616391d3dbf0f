// What BIRD answers at its control socket, up to the sessions in it.

#include "bgp/bird_session.hpp"
#include "fuzz.hpp"

using namespace kubecni;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text = fuzz::text_from(data, size);
  std::vector<BirdLine> lines;
  for (std::size_t before = text.size() + 1; before != text.size();) {
    before = text.size();
    lines.clear();
    const bool is_complete = take_answer(text, lines);
    require(is_complete == (text.size() < before), "an answer is cut off, and nothing else");
    require(is_complete == !lines.empty(), "an answer has lines, and nothing else");
    for (const BirdProtocol& protocol : protocols_in(lines)) {
      require(!protocol.name.empty(), "a protocol has a name");
      require(!session_state(protocol).empty(), "and a state");
    }
  }
  return 0;
}
