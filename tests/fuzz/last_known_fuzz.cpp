// cluster.json: the cluster as the daemon saw it last.

#include "fuzz.hpp"
#include "state/last_known.hpp"

#include <cerrno>

using namespace kubecni;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::put_file(fuzz::scratch_folder() / "cluster.json", fuzz::text_from(data, size));

  const auto known = load_last_known(fuzz::scratch_folder());

  if (!known) {
    require(known.error().code == EBADMSG, "the file is good or damaged");
    return 0;
  }
  require(known->has_value(), "a file that is there is read");
  ClusterView view{.self = (*known)->decided.self, .peers = {}, .skipped = {}, .owners = {}};
  view.owners = (*known)->decided.cidrs;
  view.address_owners = (*known)->decided.addresses;
  const auto saved = save_last_known(fuzz::scratch_folder(), (*known)->snapshot, view);
  require(saved.has_value(), "what was read is written");
  const auto again = load_last_known(fuzz::scratch_folder());
  require(again && *again && (*again)->snapshot == (*known)->snapshot &&
              (*again)->decided.cidrs == (*known)->decided.cidrs &&
              (*again)->decided.addresses == (*known)->decided.addresses,
          "and read back the same");
  return 0;
}
