// The bytes of a watch, whole and as they trickle in.

#include "fuzz.hpp"
#include "k8s/node_parser.hpp"
#include "k8s/watch_decoder.hpp"

using namespace kubecni;
using fuzz::require;

namespace {

constexpr std::size_t kMaxLine = 1024;

/// The events of `bytes`, given in parts of `part` bytes, up to the first error.
Result<std::vector<WatchEvent>> decoded(std::string_view bytes, std::size_t part) {
  WatchDecoder decoder(kMaxLine, ObjectFields::of({"kind", "metadata.name", "spec.podCIDRs"}));
  std::vector<WatchEvent> all;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(part, bytes.size()))) {
    auto events = decoder.feed(bytes.substr(0, part));
    if (!events) return fail(events);
    std::ranges::move(*events, std::back_inserter(all));
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes = fuzz::text_from(data, size);

  const auto whole = decoded(bytes, bytes.size());
  const auto trickled = decoded(bytes, 3);

  require(whole.has_value() == trickled.has_value(), "where the bytes are cut does not matter");
  if (!whole) {
    require(whole.error().code == trickled.error().code, "nor for the error");
    return 0;
  }
  require(whole->size() == trickled->size(), "nor for the events");
  for (std::size_t i = 0; i < whole->size(); ++i) {
    require((*whole)[i].object == (*trickled)[i].object, "nor for what is in them");
    const auto node = node_or_reason((*whole)[i].object);
    require(node || !node.error().reason.empty(), "an object is a node or has a reason not to be");
  }
  return 0;
}
