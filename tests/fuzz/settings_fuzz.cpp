// The daemon's settings file, up to the list of plugins that is made of it.

#include "base/json.hpp"
#include "control/install/conf_list.hpp"
#include "daemon/options.hpp"
#include "fuzz.hpp"
#include "net_conf.hpp"

#include <array>
#include <iostream>

using namespace kubecni;
using fuzz::require;
using nlohmann::json;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::cout.rdbuf(nullptr);
  std::cerr.rdbuf(nullptr);
  const auto path = fuzz::scratch_folder() / "settings";
  fuzz::put_file(path, fuzz::text_from(data, size));
  const std::array argv{"kube-cnid",     "--config",   path.c_str(),     "--node-name", "n1",
                        "--node-source", "kubernetes", "--cni-conf-dir", "/net.d"};

  const auto options = parse_options(static_cast<int>(argv.size()), argv.data());

  if (!options) {
    require(options.error() != 0, "a refusal is not a success");
    return 0;
  }
  require(options->node_name == "n1", "the command line counts more");
  std::vector<ChainLink> links;
  for (const json& conf : options->cni.chain)
    links.push_back({conf, std::vector<std::string>{"1.0.0"}});
  const auto list = parse_json(make_conf_list(*options, plan_chain({"0.4.0", "1.0.0"}, links)));
  require(list.has_value(), "the list is JSON");
  require(member(*list, "plugins").size() == links.size() + 1, "the list has all plugins");
  json plugin = member(*list, "plugins")[0];
  plugin["name"] = member(*list, "name");
  plugin["cniVersion"] = member(*list, "cniVersion");
  require(parse_net_conf(plugin.dump()).has_value(), "the plugin takes its part of the list");
  return 0;
}
