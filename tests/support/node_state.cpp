#include "support/node_state.hpp"

#include "base/file.hpp"
#include "dataplane/bpf_map.hpp"

#include <algorithm>
#include <filesystem>
#include <sstream>

namespace kubecni::test {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

using Lines = std::vector<std::string>;

// The daemon's own port, which ends with it.
constexpr const char* kProbePort = "kcni.probe";

void list_links(const NetNs& netns, Lines& lines) {
  for (const json& link : json::parse(Node::must_run_in(netns, {"ip", "-j", "-d", "link"}))) {
    if (link.value("ifname", "") == kProbePort) continue;
    std::string text = netns.name() + " link";
    for (const char* key : {"ifindex", "ifname", "address", "mtu", "master"})
      text += " " + link.value(key, json()).dump();
    const bool up = std::ranges::count(link["flags"], json("UP")) > 0;
    text += up ? " UP " : " DOWN ";
    lines.push_back(text + link.value("linkinfo", json::object()).value("info_kind", ""));
  }
}

/// The output lines of `argv`, without those that the kernel changes by itself.
void list_output(const NetNs& netns, const std::vector<std::string>& argv, Lines& lines) {
  std::istringstream output(Node::must_run_in(netns, argv));
  for (std::string line; std::getline(output, line);) {
    if (line.find("33:33:") != std::string::npos || line.find("01:00:5e:") != std::string::npos)
      continue;  // multicast, which comes and goes with IPv6's timers
    if (line.find(kProbePort) != std::string::npos) continue;
    if (const auto at = line.find(" linkdown"); at != std::string::npos) line.erase(at, 9);
    lines.push_back(netns.name() + " " + argv[0] + " " + line);
  }
}

void list_network(const NetNs& netns, Lines& lines) {
  list_links(netns, lines);
  list_output(netns, {"ip", "-4", "-o", "addr"}, lines);
  list_output(netns, {"ip", "-4", "route", "show", "table", "all"}, lines);
  list_output(netns, {"bridge", "fdb"}, lines);
  list_output(netns, {"ip", "neigh", "show", "proto", "84"}, lines);
  netns.enter([&] {
    lines.push_back(netns.name() + " ip_forward " +
                    must(read_file("/proc/sys/net/ipv4/ip_forward")));
  });
}

void list_files(const fs::path& folder, bool whole, Lines& lines) {
  if (!fs::exists(folder)) return;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name == "plugin-stats") continue;  // counts every call, also one that changes nothing
    const bool meaningless = entry.is_directory() ||
                             entry.path().parent_path().filename() == "pools" || name == "lock" ||
                             name.ends_with(".lock") || name == "status.json";
    if (meaningless && !whole) continue;
    auto content = entry.is_regular_file() ? read_file(entry.path()) : Result<std::string>("");
    lines.push_back(entry.path().string() + " " + content.value_or("unreadable"));
  }
}

void list_pins(const Node& node, Lines& lines) {
  if (!fs::exists(node.bpffs())) return;
  for (const auto& entry : fs::recursive_directory_iterator(node.bpffs()))
    lines.push_back(entry.path());
  auto dataplane = EbpfDataplane::open_loaded(node.bpffs());
  if (!dataplane) return;
  for (const auto& [key, endpoint] : must(dataplane->pods.endpoints.endpoints().entries()))
    lines.push_back("endpoint " + std::to_string(key.network) + " " + key.address.str() + " " +
                    std::to_string(endpoint.host_ifindex));
  for (const auto& [ifindex, iface] : must(dataplane->pods.endpoints.pod_ifaces().entries()))
    lines.push_back("pod_iface " + std::to_string(ifindex) + " " + IpAddr::v4(iface.addr4).str() +
                    " " + IpAddr::v6(iface.addr6).str());
  for (const auto& [ifindex, pacer] : must(dataplane->pods.endpoints.pacers().entries()))
    lines.push_back("pacer " + std::to_string(ifindex));
}

}  // namespace

std::string state_of(const Node& node, const std::vector<const Pod*>& pods, bool whole) {
  Lines lines;
  list_network(node.netns, lines);
  for (const Pod* pod : pods) list_network(pod->netns, lines);
  list_files(node.folder(), whole, lines);
  list_pins(node, lines);
  std::ranges::sort(lines);
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

}  // namespace kubecni::test
