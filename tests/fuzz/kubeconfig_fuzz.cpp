// A kubeconfig.

#include "fuzz.hpp"
#include "k8s/api_config.hpp"

using namespace kubecni;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto path = fuzz::scratch_folder() / "kubeconfig";
  fuzz::put_file(path, fuzz::text_from(data, size));

  const auto config = resolve_api_config({.kubeconfig = path});

  if (!config) {
    require(!config.error().what.empty(), "a refusal says why");
    return 0;
  }
  require(config->server.starts_with("http"), "a server is reached by HTTP");
  require(!config->server.ends_with('/'), "its address takes a path");
  return 0;
}
