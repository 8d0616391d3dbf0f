// The map of free addresses, a file of bits.

#include "fuzz.hpp"
#include "ipam/address_index.hpp"

using namespace kubecni;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto path = fuzz::scratch_folder() / "index";
  fuzz::put_file(path, fuzz::text_from(data, size));

  if (auto index = AddressIndex::open_existing(path)) {
    if (const auto free = index->next_free()) {
      require(index->pool().index_of(*free) < index->pool().size(), "what is free is for pods");
      const auto taken = index->taken();
      index->mark_taken(*free);
      require(index->taken() == taken + 1, "what was free is taken now");
      require(index->next_free() != free, "and not free any more");
      index->mark_free(*free);
    }
  }
  const Pool pool = Pool::of(IpNet::parse("10.200.0.0/24").value()).value();
  auto index = AddressIndex::open(path, pool, [](const IpAddr&) { return false; });
  require(index.has_value(), "the file is used or made anew");
  require(index->pool().subnet() == pool.subnet(), "for the pool that is asked for");
  return 0;
}
