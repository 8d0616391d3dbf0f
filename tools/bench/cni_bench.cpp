#include "bench/cni_bench.hpp"

#include "bench/cni_plugins.hpp"

#include <algorithm>
#include <iostream>
#include <map>
#include <utility>

namespace kubecni::bench {

namespace {

using Ends = Result<std::vector<CallEnd>>;
using Step = Ends (PluginNode::*)(unsigned width);

struct Verb {
  const char* name;
  Step step;
};
constexpr Verb kVerbs[] = {{"ADD", &PluginNode::add}, {"DEL", &PluginNode::del}};

double in_ms(auto duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

struct Samples {
  std::vector<double> wall, cpu, per_pod;

  void add(const std::vector<CallEnd>& ends) {
    for (const auto& end : ends) {
      wall.push_back(in_ms(end.ended - end.started));
      cpu.push_back(in_ms(end.cpu));
    }
    const auto first = std::ranges::min(ends, {}, &CallEnd::started).started;
    const auto last = std::ranges::max(ends, {}, &CallEnd::ended).ended;
    per_pod.push_back(in_ms(last - first) / static_cast<double>(ends.size()));
  }
};

/// The verb, and the plugin's index.
using Series = std::map<std::pair<std::string, std::size_t>, Samples>;

/// One ADD and one DEL of every plugin. The first one changes from round to round, since the
/// kernel's deferred work after a DEL slows down the next plugin.
Result<> run_round(std::vector<PluginNode>& nodes, unsigned width, unsigned round, Series* series) {
  for (const Verb& verb : kVerbs) {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const std::size_t turn = (i + round) % nodes.size();
      auto ends = (nodes[turn].*verb.step)(width);
      if (!ends) return fail(ends);
      if (series) (*series)[{verb.name, turn}].add(*ends);
    }
  }
  return {};
}

Result<Series> run_scenario(std::vector<PluginNode>& nodes, unsigned width, unsigned rounds,
                            unsigned warm_up) {
  Series series;
  for (unsigned round = 0; round < warm_up + rounds; ++round) {
    auto done = run_round(nodes, width, round, round < warm_up ? nullptr : &series);
    if (!done) return fail(done);
  }
  return series;
}

Result<std::vector<PluginNode>> make_nodes(const CniOptions& options) {
  std::vector<PluginNode> nodes;
  const unsigned pods = std::ranges::max(options.pods) + options.parallel;
  for (auto& setup : compared_plugins(options.kube_cni, options.reference_dir, "/run/cni-bench")) {
    auto node = PluginNode::create(std::move(setup));
    if (!node) return fail(node);
    if (auto made = node->prepare_pods(pods); !made) return fail(made);
    nodes.push_back(std::move(*node));
  }
  return nodes;
}

}  // namespace

Result<std::vector<CniRow>> measure_cni(const CniOptions& options) {
  std::cerr << "making the nodes and the namespaces of their pods\n";
  auto nodes = make_nodes(options);
  if (!nodes) return fail(nodes);
  std::vector<CniRow> rows;
  for (const unsigned pods : options.pods) {
    std::cerr << pods << " pods present\n";
    for (auto& node : *nodes)
      if (auto grown = node.grow_to(pods); !grown) return fail(grown);
    for (const auto& [width, rounds] :
         {std::pair{1U, options.rounds}, std::pair{options.parallel, options.batches}}) {
      std::cerr << "  " << width << " at once, " << rounds << " rounds\n";
      auto series = run_scenario(*nodes, width, rounds, options.warm_up);
      if (!series) return fail(series);
      for (const auto& [key, samples] : *series)
        rows.push_back({.pods = pods,
                        .parallel = width,
                        .verb = key.first,
                        .plugin = (*nodes)[key.second].name(),
                        .wall = summarize(samples.wall),
                        .cpu = summarize(samples.cpu),
                        .per_pod = summarize(samples.per_pod)});
    }
  }
  return rows;
}

}  // namespace kubecni::bench
