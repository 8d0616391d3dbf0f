// The record of an attachment.

#include "base/file.hpp"
#include "fuzz.hpp"
#include "state/attachment.hpp"

#include <cerrno>

using namespace kubecni;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path folder = fuzz::scratch_folder() / "attachments/net";
  static const bool made = ensure_directory(folder).has_value();
  require(made, "the store has its folder");
  fuzz::put_file(folder / "pod1:eth0", fuzz::text_from(data, size));
  const AttachmentStore store(fuzz::scratch_folder());

  const auto found = store.find("net", "pod1", "eth0");
  const auto listing = store.list();

  require(listing.has_value(), "a damaged record does not end the listing");
  require(listing->attachments.size() + listing->damaged.size() == 1, "a record is listed once");
  require(found.has_value() == listing->damaged.empty(), "find() and list() agree");
  if (!found)
    require(found.error().code == EBADMSG, "a record is good or damaged");
  else
    require(found->has_value(), "a record that is there is found");
  return 0;
}
