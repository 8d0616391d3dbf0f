// The API servers' addresses, as the API server reports them.

#include "fuzz.hpp"
#include "k8s/endpoint_slice.hpp"
#include "state/api_endpoints_file.hpp"

#include <cerrno>

using namespace kubecni;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto state_dir = fuzz::scratch_folder();

  const auto addresses = parse_endpoint_slice(fuzz::text_from(data, size));

  if (!addresses) {
    require(addresses.error().code == EINVAL || addresses.error().code == EBADMSG,
            "it is not JSON or not an EndpointSlice");
    return 0;
  }
  require(save_endpoints(state_dir, "https://a", *addresses).has_value(),
          "what was read is written");
  const auto again = load_endpoints(state_dir, "https://a");
  require(again && *again == *addresses, "and read back the same");
  return 0;
}
