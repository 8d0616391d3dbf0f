#include "bench/cni_plugins.hpp"

#include "sandbox/named_netns.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace kubecni::bench {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr const char* kSubnet = "10.200.0.0/22";  // 1021 pods; a bridge has 1023 ports

json reference_conf(const std::string& type, const fs::path& folder) {
  return {{"cniVersion", "1.0.0"},
          {"name", type + "-net"},
          {"type", type},
          {"ipam",
           {{"type", "host-local"},
            {"dataDir", (folder / type).string()},
            {"ranges", json::array({json::array({{{"subnet", kSubnet}}})})},
            {"routes", json::array({{{"dst", "0.0.0.0/0"}}})}}}};
}

/// `hooks` replaces what kube-cni would find in the runtime's folder of lists.
json kube_cni_conf(const std::string& mode, const std::string& hooks, const fs::path& folder) {
  const std::string name = mode + "-" + hooks;
  return {{"cniVersion", "1.0.0"},
          {"name", "kube-cni-net"},
          {"type", "kube-cni"},
          {"subnet", kSubnet},
          {"dataplane", mode},
          {"podHooks", hooks},
          {"stateDir", (folder / name / "state").string()},
          {"runDir", (folder / name / "run").string()},
          {"bpffs", "/sys/fs/bpf/" + name}};
}

}  // namespace

std::vector<PluginSetup> compared_plugins(const fs::path& kube_cni, const fs::path& reference_dir,
                                          const fs::path& folder) {
  json bridge = reference_conf("bridge", folder);
  bridge.update({{"bridge", "cni0"}, {"isGateway", true}});
  return {{"bridge", reference_dir / "bridge", bridge},
          {"ptp", reference_dir / "ptp", reference_conf("ptp", folder)},
          {"kube-cni ebpf", kube_cni, kube_cni_conf("ebpf", "clsact", folder)},
          {"kube-cni tcx", kube_cni, kube_cni_conf("ebpf", "tcx", folder)},
          {"kube-cni bridge", kube_cni, kube_cni_conf("bridge", "auto", folder)}};
}

Result<PluginNode> PluginNode::create(PluginSetup setup) {
  std::string name = setup.name;
  std::ranges::replace(name, ' ', '-');
  auto netns = create_netns("/run/netns/" + name);
  if (!netns) return fail(netns, setup.name);
  return PluginNode(std::move(setup), std::move(*netns));
}

Result<> PluginNode::prepare_pods(unsigned count) {
  while (pods_.size() < count) {
    std::string id = setup_.name + "-" + std::to_string(pods_.size());
    std::ranges::replace(id, ' ', '-');
    Pod pod{.id = id, .netns = "/run/netns/" + id, .result = {}};
    if (auto made = create_netns(pod.netns); !made) return fail(made, setup_.name);
    pods_.push_back(std::move(pod));
  }
  return {};
}

Result<> PluginNode::grow_to(unsigned present) {
  for (; present_ < present; ++present_)
    if (auto added = add(1); !added) return fail(added);
  return {};
}

PluginCall PluginNode::call(const char* verb, const Pod& pod) const {
  json conf = setup_.conf;
  if (!pod.result.is_null()) conf["prevResult"] = pod.result;
  const char* path = std::getenv("PATH");
  return {.program = setup_.program,
          .env = {"PATH=" + std::string(path ? path : "/usr/sbin:/usr/bin"),
                  std::string("CNI_COMMAND=") + verb, "CNI_CONTAINERID=" + pod.id,
                  "CNI_NETNS=" + pod.netns, "CNI_IFNAME=eth0",
                  "CNI_PATH=" + setup_.program.parent_path().string(),
                  "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=bench;K8S_POD_NAME=" + pod.id},
          .input = conf.dump()};
}

Result<std::vector<CallEnd>> PluginNode::run(const char* verb, unsigned width) {
  std::vector<PluginCall> calls;
  calls.reserve(width);
  for (unsigned i = 0; i < width; ++i) calls.push_back(call(verb, pods_.at(present_ + i)));
  auto ends = run_at_once(netns_.get(), calls);
  if (!ends) return fail(ends, setup_.name + ": " + verb);
  for (const auto& end : *ends)
    if (end.status != 0)
      return failure(EIO, setup_.name + ": " + verb + " ended with status " +
                              std::to_string(end.status) + ": " + end.out + end.err);
  return ends;
}

Result<std::vector<CallEnd>> PluginNode::add(unsigned width) {
  auto ends = run("ADD", width);
  if (!ends) return ends;
  for (unsigned i = 0; i < width; ++i)
    pods_[present_ + i].result = json::parse((*ends)[i].out, nullptr, false);
  return ends;
}

Result<std::vector<CallEnd>> PluginNode::del(unsigned width) {
  auto ends = run("DEL", width);
  if (!ends) return ends;
  for (unsigned i = 0; i < width; ++i) pods_[present_ + i].result = nullptr;
  return ends;
}

}  // namespace kubecni::bench
