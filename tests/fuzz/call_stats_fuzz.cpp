// The file in which the plugin counts its calls.

#include "fuzz.hpp"
#include "state/call_stats.hpp"

#include <cerrno>

using namespace kubecni;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto& run_dir = fuzz::scratch_folder();
  fuzz::put_file(call_stats_path(run_dir), fuzz::text_from(data, size));
  const auto before = read_call_stats(run_dir);
  if (!before) require(before.error().code == EBADMSG, "a file without counts is damaged");

  const auto counted = count_call(run_dir, "DEL", 11, std::chrono::milliseconds(7));

  require(counted.has_value(), "a call is counted whatever is in the file");
  const auto after = read_call_stats(run_dir);
  require(after && *after, "what was counted can be read");
  const auto counter = (**after)[1].by_code[8];
  if (!before) require(counter == 1, "what was damaged begins anew");
  if (before && *before)
    require(counter == (**before)[1].by_code[8] + 1, "one call counts one, and others stay");
  return 0;
}
