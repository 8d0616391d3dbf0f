#include "rig.hpp"

#include "damage.hpp"
#include "net/link.hpp"
#include "support/traffic.hpp"

#include <fcntl.h>
#include <sys/mount.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <vector>

namespace kubecni::test {

namespace fs = std::filesystem;

namespace {

constexpr const char* kBpffs = "/sys/fs/bpf";
constexpr const char* kOtherBuild = "other-schema/";
constexpr const char* kOtherPins = "v9003";
/// What a cluster without its API server works on with.
constexpr std::chrono::milliseconds kAway{1000};

void mount_bpffs() {
  if (::mount("bpf", kBpffs, "bpf", 0, "mode=700") != 0)
    throw std::runtime_error("cannot mount a bpf file system");
}

void unmount_bpffs_lazily() {
  if (::umount2(kBpffs, MNT_DETACH) != 0)
    throw std::runtime_error("cannot unmount the bpf file system");
}

constexpr std::chrono::milliseconds kCut{100};

/// Makes the daemon look, which it does by itself every 10 s.
void nudge(const Node& node) {
  node.must_run({"ip", "link", "add", "nudge", "type", "veth", "peer", "name", "nudge_peer"});
  node.must_run({"ip", "link", "del", "nudge"});
}

/// A program that is attached to a device of the node.
struct Attached {
  const Program* program;
  std::string device;
};

/// All that links hold, in the order of their pins.
std::vector<Attached> list_attached(const Node& node) {
  std::vector<Attached> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(PinPaths(node.bpffs()).links, none)) {
    const std::string name = entry.path().filename();
    for (const Program& program : kPrograms) {
      const std::string suffix = std::string("_") + program.name;
      if (!name.ends_with(suffix)) continue;
      std::string device = name.substr(0, name.size() - suffix.size());
      std::ranges::replace(device, ':', '.');
      found.push_back({&program, device});
    }
  }
  return found;
}

void attach_again(const Node& node, const std::vector<Attached>& programs) {
  node.netns.enter([&] {
    auto netlink = must(NetlinkSocket::open());
    const auto dataplane = node.dataplane();
    for (const Attached& each : programs) {
      const auto link = must(find_link(netlink, each.device)).value();
      const ProgramStore& store =
          each.program->kind == KUBECNI_ON_POD ? dataplane.pods.programs : dataplane.programs;
      // The daemon may do the same now, and pin first.
      (void)store.attach(*each.program, {link.ifindex, link.name});
    }
  });
}

std::set<std::string> schemas_of(const Node& node) {
  std::set<std::string> names;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(node.bpffs(), none))
    if (entry.path().filename() != "links") names.insert(entry.path().filename());
  return names;
}

std::string own_schema(const Node& node) {
  return PinPaths(node.bpffs()).maps.parent_path().filename();
}

}  // namespace

Rig::Rig(const std::string& routing)
    : cluster(ClusterOptions{.routing = {routing}}), routing_(routing) {
  start_api_server();
  cluster.node_source = {"--node-source", "kubernetes", "--api-server", server_->url()};
  for (unsigned i = 0; i < 2; ++i) {
    stop_daemon(cluster.member(i), SIGTERM);
    start_daemon(cluster.member(i));
  }
  wait_until_whole("the start");
}

void Rig::start_api_server(int port) {
  cluster.underlay.outside.enter([&] {
    server_ =
        must(ApiServer::start({.address = Underlay::outside_address(AF_INET).str(), .port = port}));
  });
  for (const auto& node : cluster.nodes()) server_->set_node(node);
}

void Rig::start_daemon(Cluster::Member& member) const {
  member.daemon.emplace(cluster.start_daemon(member.node));
}

void Rig::stop_daemon(Cluster::Member& member, int signal) const {
  member.daemon->signal(signal);
  member.daemon->wait();
}

bool Rig::is_whole(const Cluster::Member& member) const {
  const unsigned pods = &member.node == &cluster.a ? 3 : 1;
  auto dataplane = EbpfDataplane::open_loaded(member.node.bpffs());
  if (!dataplane || !is_attached(member.node, pods)) return false;
  const auto endpoints = must(dataplane->pods.endpoints.endpoints().entries());
  const auto ifaces = must(dataplane->pods.endpoints.pod_ifaces().entries());
  return endpoints.size() == pods && ifaces.size() == pods;
}

void Rig::wait_until_whole(const std::string& after) const {
  const auto is_done = [&] {
    return is_whole(cluster.member(0)) && is_whole(cluster.member(1)) && cluster.is_complete();
  };
  if (eventually(is_done, kRestored)) return;
  throw std::runtime_error("not everything is as before after " + after + "; the daemons say:\n" +
                           cluster.daemon_a->err() + cluster.daemon_b->err());
}

void Rig::cut_pod_off() const {
  const NetNs& pod = cluster.pod_b->netns;
  Node::must_run_in(pod, {"nft",
                          "table inet cut { chain c { type filter hook input priority 0; "
                          "policy drop; }; }"});
  std::this_thread::sleep_for(kCut);
  Node::must_run_in(pod, {"nft", "delete table inet cut"});
}

void Rig::switch_path(unsigned round) {
  const Node& node = member(round).node;
  const auto programs = list_attached(node);
  detach_programs(node);
  attach_again(node, programs);
}

void Rig::kill_daemon(unsigned round) {
  stop_daemon(member(round), SIGKILL);
  start_daemon(member(round));
  Process& daemon = *member(round).daemon;
  if (!eventually([&] { return daemon.err().find("started") != std::string::npos; }, kRestored))
    throw std::runtime_error("the daemon does not start: " + daemon.err());
}

void Rig::change_build(Cluster::Member& member, const std::string& folder,
                       const std::string& schema) const {
  stop_daemon(member, SIGTERM);
  member.node.use_programs_of(folder);
  start_daemon(member);
  if (!eventually([&] { return schemas_of(member.node) == std::set{schema}; }, kRestored))
    throw std::runtime_error("no change to " + schema + ": " + member.daemon->err());
}

void Rig::upgrade(unsigned round) {
  Cluster::Member& changed = member(round);
  change_build(changed, kOtherBuild, kOtherPins);
  change_build(changed, "", own_schema(changed.node));
  wait_until_whole("an upgrade and back");
}

void Rig::change_routing(Cluster::Member& member, const std::string& routing) const {
  stop_daemon(member, SIGTERM);
  member.options = {"--routing", routing};
  start_daemon(member);
  const std::string peer = cluster.member(&member.node == &cluster.a ? 1 : 0).cidrs.front();
  if (!eventually(
          [&] {
            const std::string route = member.node.must_run({"ip", "route", "show", peer});
            return !route.empty() &&
                   (route.find("encap") != std::string::npos) == (routing == "vxlan");
          },
          kRestored))
    throw std::runtime_error("no change to " + routing + ": " + member.daemon->err());
}

void Rig::change_settings(unsigned) {
  const std::string other = routing_ == "direct" ? "vxlan" : "direct";
  for (const auto& routing : {other, routing_}) {
    for (unsigned i = 0; i < 2; ++i) change_routing(cluster.member(i), routing);
    wait_until_whole("--routing " + routing);
  }
}

void Rig::take_api_server_away(unsigned) {
  const int port = server_->port();
  server_.reset();
  std::this_thread::sleep_for(kAway);
  start_api_server(port);
  if (!eventually([&] { return server_->counters().live_watches >= 2; }, kRestored))
    throw std::runtime_error("the daemons do not come back to the API server");
  wait_until_whole("the API server was away");
}

void Rig::unmount_bpffs(unsigned) {
  unmount_bpffs_lazily();
  mount_bpffs();
  for (unsigned i = 0; i < 2; ++i) nudge(cluster.member(i).node);
  wait_until_whole("bpffs was unmounted");
}

void Rig::unmount_kept_bpffs(unsigned round) {
  const UniqueFd keeper(::open(kBpffs, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  unmount_bpffs(round);
  replace_spare_pod();
}

void Rig::replace_spare_pod() {
  const nlohmann::json daemon_knows{{"subnet", nullptr}, {"ipam", nullptr}};
  const std::string address = spare_->address.str();
  const auto deleted = cluster.a.cni("DEL", *spare_, daemon_knows);
  if (deleted.status != 0) throw std::runtime_error("DEL: " + deleted.msg());
  spare_.reset();
  nlohmann::json changes = daemon_knows;
  changes["args"]["cni"]["ips"] = {address};
  spare_.emplace(cluster.a.add_pod("spare", changes));
  must(ping(near.netns, spare_->address));
  must(ping(cluster.pod_b->netns, spare_->address));
}

void Rig::detach_all(unsigned) {
  for (unsigned i = 0; i < 2; ++i) detach_programs(cluster.member(i).node);
  for (unsigned i = 0; i < 2; ++i) nudge(cluster.member(i).node);
  wait_until_whole("all programs were detached");
}

void Rig::empty_all_maps(unsigned) {
  for (unsigned i = 0; i < 2; ++i) {
    empty_maps(cluster.member(i).node);
    empty_flows(cluster.member(i).node);
  }
  for (unsigned i = 0; i < 2; ++i) nudge(cluster.member(i).node);
  wait_until_whole("all maps were emptied");
}

}  // namespace kubecni::test
