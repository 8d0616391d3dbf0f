// The bytes of a list, whole and as they trickle in.

#include "fuzz.hpp"
#include "k8s/list_decoder.hpp"

using namespace kubecni;
using fuzz::require;

namespace {

constexpr std::size_t kMaxItem = 1024;

struct List {
  std::vector<nlohmann::json> items;
  nlohmann::json rest;
};

/// The list in `bytes`, given in parts of `part` bytes, or the first error.
Result<List> decoded(std::string_view bytes, std::size_t part) {
  ListDecoder decoder(kMaxItem, ObjectFields::of({"kind", "metadata.name", "spec.podCIDRs"}));
  List list;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(part, bytes.size()))) {
    auto items = decoder.feed(bytes.substr(0, part));
    if (!items) return fail(items);
    std::ranges::move(*items, std::back_inserter(list.items));
  }
  auto rest = decoder.finish();
  if (!rest) return fail(rest);
  list.rest = std::move(*rest);
  return list;
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
  require(whole->items == trickled->items, "nor for the items");
  require(whole->rest == trickled->rest, "nor for the rest");
  return 0;
}
