// The map of free addresses, a file of bits.

#include "fuzz.hpp"
#include "ipam/address_index.hpp"

using namespace kubecni;
using fuzz::require;

namespace {

void check_search(AddressIndex& index) {
  const auto nothing_else_is_taken = [](const IpAddr&) { return false; };
  const auto free = index.find_free(nothing_else_is_taken);
  if (!free) return;
  require(index.pool().contains(*free), "free addresses are for pods");
  const auto taken = index.taken();
  index.mark_taken(*free);
  if (taken) {
    require(index.taken() == *taken + 1, "what was free is marked now");
    require(index.find_free(nothing_else_is_taken) != free, "and not free any more");
  }
  index.move_past(*free);
  index.mark_free(*free);
  require(index.taken() == taken, "until it is given back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto path = fuzz::scratch_folder() / "index";
  fuzz::put_file(path, fuzz::text_from(data, size));

  if (auto index = AddressIndex::open(path)) check_search(*index);

  const Pool pool = Pool::of(IpNet::parse("10.200.0.0/24").value()).value();
  const auto index = AddressIndex::create(path, pool, {});
  require(index && index->pool() == pool && index->taken() == 0, "the file can be made anew");
  return 0;
}
