#include "bench/sync_bench.hpp"

#include "base/subprocess.hpp"
#include "bench/footprint_node.hpp"
#include "bench/process_usage.hpp"
#include "dataplane/node_tables.hpp"
#include "dataplane/pins.hpp"
#include "kubecni/abi.h"
#include "net/route.hpp"
#include "state/daemon_status.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <functional>
#include <iostream>
#include <optional>
#include <thread>
#include <utility>

namespace kubecni::bench {

namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

constexpr std::array kFamilies{AF_INET, AF_INET6};
constexpr std::chrono::milliseconds kSyncPoll{10};
constexpr std::chrono::microseconds kSyncFinePoll{200};
/// So that no change waits for what the one before cost.
constexpr std::chrono::milliseconds kBetweenChanges{700};
constexpr std::array kPrefixes{4U, 256U, 5000U, 16000U};
constexpr unsigned kPrefixesOfWalks = 2;  ///< that time_walks() has by itself

double ms_of(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

/// What node, map and kernel have, and how long it takes until that is what it should be.
class SyncNode {
 public:
  static Result<SyncNode> create(const SyncOptions& options) {
    auto node = FootprintNode::create(
        {.daemon = options.programs / "kube-cnid", .plugin = options.programs / "kube-cni"}, true);
    if (!node) return fail(node);
    auto netlink = NetlinkSocket::open_in((*node)->netns());
    if (!netlink) return fail(netlink);
    return SyncNode(options, std::move(*node), std::move(*netlink));
  }

  Result<> measure_first(std::vector<SyncRow>& rows) {
    const auto begin = Clock::now();
    if (auto started = node_->start_daemon(options_.nodes); !started) return started;
    auto map = open_node_cidrs(FootprintNode::bpffs());
    if (!map) return fail(map);
    map_ = std::move(*map);
    auto done = FootprintNode::wait_until([&] { return has_all(); }, kSyncPoll);
    if (!done) return done;
    const auto now = Clock::now();
    const auto listed = node_->server().counters().listed_at;
    rows.push_back({"start: until the server has sent the list", "ms", one(ms_of(listed - begin))});
    rows.push_back(
        {"from then until all nodes are in map and routes", "ms", one(ms_of(now - listed))});
    return {};
  }

  /// `object` is what becomes of a node; null: it goes.
  Result<> measure_changes(const std::string& what, const std::function<json(unsigned)>& object,
                           std::vector<SyncRow>& rows) {
    std::vector<double> ms;
    for (unsigned turn = 0; turn < options_.changes; ++turn) {
      std::this_thread::sleep_for(kBetweenChanges);
      const unsigned number = 1 + turn;
      const json next = object(number);
      const auto begin = Clock::now();
      if (next.is_null())
        node_->server().delete_node(node_->node_object(number)["metadata"]["name"]);
      else
        node_->server().set_node(next);
      auto done = FootprintNode::wait_until([&] { return is_as(number, next); }, kSyncFinePoll);
      if (!done) return fail(done, what);
      ms.push_back(ms_of(Clock::now() - begin));
    }
    rows.push_back({what, "ms", summarize(ms)});
    return {};
  }

  /// Until the daemon has looked at everything, which was right all the time.
  Result<> measure_restart(std::vector<SyncRow>& rows) {
    const auto begin = Clock::now();
    if (auto started = node_->restart_daemon(); !started) return started;
    auto done = FootprintNode::wait_until(
        [&]() -> Result<bool> {
          auto status = read_daemon_status(FootprintNode::run_dir());
          if (!status) return fail(status);
          return *status && (*status)->pid == static_cast<unsigned>(node_->daemon_pid());
        },
        kSyncPoll);
    if (!done) return done;
    rows.push_back(
        {"restart: until everything was looked at", "ms", one(ms_of(Clock::now() - begin))});
    return {};
  }

  Result<> measure_memory(std::vector<SyncRow>& rows) {
    std::this_thread::sleep_for(options_.settle);
    auto usage = usage_of(node_->daemon_pid());
    if (!usage) return fail(usage);
    constexpr double kMiB = 1 << 20;
    rows.push_back({"kube-cnid: RSS", "MiB", one(static_cast<double>(usage->resident) / kMiB)});
    rows.push_back({"of it its own", "MiB", one(static_cast<double>(usage->anonymous) / kMiB)});
    double bytes = 0;
    for (const auto& [name, key_size] : {std::pair{"node_cidrs4", sizeof(kubecni_cidr4_key)},
                                         std::pair{"node_cidrs6", sizeof(kubecni_cidr6_key)}}) {
      auto map = open_pinned_map(PinPaths(FootprintNode::bpffs()).maps / name, key_size,
                                 sizeof(kubecni_node));
      if (!map) return fail(map);
      bytes += memory_of_map(map->get());
    }
    rows.push_back({"maps of nodes, both families", "MiB", one(bytes / kMiB)});
    return {};
  }

  [[nodiscard]] json as_usual(unsigned number) const { return node_->node_object(number); }
  /// With addresses that no other node has.
  [[nodiscard]] json moved(unsigned number) const {
    json object = node_->node_object(number);
    const json other = node_->node_object(number + options_.nodes);
    object["status"]["addresses"] = other["status"]["addresses"];
    return object;
  }

 private:
  SyncNode(const SyncOptions& options, std::unique_ptr<FootprintNode> node, NetlinkSocket netlink)
      : options_(options), node_(std::move(node)), netlink_(std::move(netlink)) {}

  static Summary one(double value) { return summarize({value}); }

  /// As the kernel counts it, bytes: proc_pid_fdinfo(5).
  static double memory_of_map(int fd) {
    std::ifstream info("/proc/self/fdinfo/" + std::to_string(fd));
    for (std::string name; info >> name; info.ignore(1 << 16, '\n'))
      if (double bytes = 0; name == "memlock:" && info >> bytes) return bytes;
    return 0;
  }

  [[nodiscard]] Result<bool> has_all() const {
    auto entries = map_->entries();
    if (!entries) return fail(entries);
    return entries->size() == kFamilies.size() * options_.nodes;
  }

  /// Whether map and routes lead to the node's addresses; `object` null: to none.
  Result<bool> is_as(unsigned number, const json& object) {
    for (std::size_t i = 0; i < kFamilies.size(); ++i) {
      auto entry = map_->find(FootprintNode::pod_cidr_of(number, kFamilies[i]));
      if (!entry) return fail(entry);
      if (entry->has_value() == object.is_null()) return false;
      if (*entry && next_hop_of(**entry).str() != address_in(object, i)) return false;
    }
    auto routes = list_routes(netlink_);
    if (!routes) return fail(routes);
    for (std::size_t i = 0; i < kFamilies.size(); ++i) {
      const auto route =
          std::ranges::find(*routes, FootprintNode::pod_cidr_of(number, kFamilies[i]), &Route::dst);
      if ((route == routes->end()) != object.is_null()) return false;
      if (!object.is_null() && route->gateway->str() != address_in(object, i)) return false;
    }
    return true;
  }

  static std::string address_in(const json& object, std::size_t family) {
    return object["status"]["addresses"].at(family)["address"];
  }

  SyncOptions options_;
  std::unique_ptr<FootprintNode> node_;
  NetlinkSocket netlink_;
  std::optional<NodeCidrMap> map_;
};

/// By the command `prog`, which needs a sandbox of its own.
Result<json> run_prog(unsigned more_nodes, unsigned calls) {
  auto ran = run_subprocess({.program = std::filesystem::read_symlink("/proc/self/exe"),
                             .args = {"prog", "-o", "json", "--more-nodes",
                                      std::to_string(more_nodes), "--calls", std::to_string(calls)},
                             .env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                             .input = {},
                             .deadline = std::chrono::minutes(2)});
  if (!ran) return fail(ran, "kube-cni-bench prog");
  json report = json::parse(ran->out, nullptr, false);
  if (ran->status != 0 || !report.is_object())
    return failure(EIO, "kube-cni-bench prog ended with status " + std::to_string(ran->status));
  return report;
}

/// What the tries' size costs a packet to another node.
Result<> measure_packets(const SyncOptions& options, std::vector<SyncRow>& rows) {
  for (const unsigned prefixes : kPrefixes) {
    auto report = run_prog(prefixes - kPrefixesOfWalks, options.calls);
    if (!report) return fail(report);
    for (const json& walk : report->at("walks")) {
      const std::string name = walk["walk"], family = walk["family"];
      if (!name.starts_with("to a node, direct")) continue;
      Summary ns = summarize({walk["ns"]["median"]});
      ns.samples = walk["ns"]["samples"];
      ns.max = walk["ns"]["p95"];
      rows.push_back({std::to_string(prefixes) + " prefixes, " + family + ": " + name, "ns", ns});
    }
  }
  return {};
}

}  // namespace

Result<std::vector<SyncRow>> measure_sync(const SyncOptions& options) {
  std::vector<SyncRow> rows;
  auto node = SyncNode::create(options);
  if (!node) return fail(node);
  const auto steps = std::array<std::pair<const char*, std::function<Result<>()>>, 7>{
      {{"first list", [&] { return node->measure_first(rows); }},
       {"changes",
        [&] {
          return node->measure_changes(
              "a node gets other addresses", [&](unsigned one) { return node->moved(one); }, rows);
        }},
       {"nodes go",
        [&] {
          return node->measure_changes("a node goes", [](unsigned) { return json(); }, rows);
        }},
       {"nodes come",
        [&] {
          return node->measure_changes(
              "a node comes", [&](unsigned one) { return node->as_usual(one); }, rows);
        }},
       {"restart", [&] { return node->measure_restart(rows); }},
       {"memory", [&] { return node->measure_memory(rows); }},
       {"packets", [&] { return measure_packets(options, rows); }}}};
  for (const auto& [name, measure] : steps) {
    std::cerr << name << "\n";
    if (auto done = measure(); !done) return fail(done, name);
  }
  return rows;
}

}  // namespace kubecni::bench
