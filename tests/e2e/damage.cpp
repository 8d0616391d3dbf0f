#include "damage.hpp"

#include <bpf/bpf.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>

namespace kubecni::test {

namespace {

namespace fs = std::filesystem;

template <typename Key>
void empty_flow_map(const fs::path& path) {
  auto flows = must(BpfMap<Key, kubecni_flow_state>::open(path));
  for (const auto& [key, value] : must(flows.entries())) must(flows.erase(key));
}

template <typename Key>
void fill_flow_map(const fs::path& path) {
  auto flows = must(BpfMap<Key, kubecni_flow_state>::open(path));
  for (std::uint32_t i = 0; i < kMaxFlows + kMaxFlows / 8; ++i) {
    Key key{};
    key.src[0] = 198;  // 198.18.0.0/15, of nobody
    key.src[1] = 18;
    std::memcpy(key.dst, &i, sizeof(i));
    key.proto = 17;
    must(flows.set(key, {.owner = KUBECNI_FLOW_EBPF}));
  }
}

}  // namespace

void detach_programs(const Node& node) {
  for (const auto& entry : fs::directory_iterator(PinPaths(node.bpffs()).links)) {
    // A link whose file is removed releases the device some time later.
    const UniqueFd link(bpf_obj_get(entry.path().c_str()));
    if (!link || bpf_link_detach(link.get()) != 0)
      throw std::runtime_error("cannot detach " + entry.path().string());
    fs::remove(entry.path());
  }
}

void empty_maps(const Node& node) {
  auto dataplane = node.dataplane();
  for (const auto& [key, value] : must(dataplane.node_cidrs.entries()))
    must(dataplane.node_cidrs.erase(key));
  for (const auto& [key, value] : must(dataplane.tunnel_peers.entries()))
    must(dataplane.tunnel_peers.erase(key));
  for (const auto& [key, value] : must(dataplane.pods.endpoints.endpoints().entries()))
    must(dataplane.pods.endpoints.endpoints().erase(key));
  for (const auto& [key, value] : must(dataplane.pods.endpoints.pod_ifaces().entries()))
    must(dataplane.pods.endpoints.pod_ifaces().erase(key));
  for (const auto& [key, value] : must(dataplane.pods.endpoints.pacers().entries()))
    must(dataplane.pods.endpoints.pacers().erase(key));
}

void empty_flows(const Node& node) {
  const fs::path maps = PinPaths(node.bpffs()).maps;
  empty_flow_map<kubecni_flow4>(maps / "flows4");
  empty_flow_map<kubecni_flow6>(maps / "flows6");
}

void fill_flows(const Node& node) {
  const fs::path maps = PinPaths(node.bpffs()).maps;
  fill_flow_map<kubecni_flow4>(maps / "flows4");
  fill_flow_map<kubecni_flow6>(maps / "flows6");
}

void fill_conntrack(const Node& node) {
  const auto limit = std::stoul(node.must_run({"sysctl", "-n", "net.netfilter.nf_conntrack_max"}));
  node.netns.enter([&] {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    for (unsigned long i = 0; i <= limit; ++i) {
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_addr.s_addr = htonl(INADDR_LOOPBACK + static_cast<std::uint32_t>(i >> 15));
      to.sin_port = htons(static_cast<std::uint16_t>(0x8000 | (i & 0x7fff)));
      // Nobody listens, which a socket that is not connected does not notice.
      ::sendto(socket.get(), "", 0, 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
    }
  });
}

}  // namespace kubecni::test
