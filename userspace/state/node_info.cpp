#include "state/node_info.hpp"

#include "base/file.hpp"
#include "base/json.hpp"
#include "state/files.hpp"

#include <nlohmann/json.hpp>

#include <cerrno>

namespace kubecni {

using nlohmann::json;

Result<> save_node_info(const std::filesystem::path& state_dir, const NodeInfo& info) {
  json cidrs = json::array();
  for (const auto& cidr : info.pod_cidrs) cidrs.push_back(cidr.str());
  const json record{{"name", info.name}, {"podCIDRs", cidrs}, {"mtu", info.mtu}};
  return write_file_atomically(state_dir / kNodeFile, record.dump(2) + "\n");
}

Result<std::optional<NodeInfo>> load_node_info(const std::filesystem::path& state_dir) {
  const auto path = state_dir / kNodeFile;
  auto text = read_file(path);
  if (!text && text.error().code == ENOENT) return std::nullopt;
  if (!text) return fail(text);
  try {
    const json record = json::parse(*text);
    const auto mtu = unsigned_of(record.at("mtu"));
    if (!mtu) throw std::invalid_argument("mtu");
    NodeInfo info{.name = record.at("name"), .pod_cidrs = {}, .mtu = *mtu};
    for (const json& cidr : record.at("podCIDRs")) {
      const auto net = IpNet::parse(cidr.get<std::string>());
      if (!net) throw std::invalid_argument("podCIDRs");
      info.pod_cidrs.push_back(*net);
    }
    return info;
  } catch (const std::exception& error) {
    return failure(EBADMSG, path.string() + " is damaged: " + error.what() +
                                "; remove it, and kube-cnid writes it anew");
  }
}

}  // namespace kubecni
