// node.json: what the daemon tells the plugin.

#include "fuzz.hpp"
#include "state/node_info.hpp"

#include <cerrno>

using namespace kubecni;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::put_file(fuzz::scratch_folder() / "node.json", fuzz::text_from(data, size));

  const auto info = load_node_info(fuzz::scratch_folder());

  if (!info) {
    require(info.error().code == EBADMSG, "the file is good or damaged");
    return 0;
  }
  require(info->has_value(), "a file that is there is read");
  require(save_node_info(fuzz::scratch_folder(), **info).has_value(), "what was read is written");
  const auto again = load_node_info(fuzz::scratch_folder());
  require(again && *again == *info, "and read back the same");
  return 0;
}
