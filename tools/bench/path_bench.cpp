#include "bench/path_bench.hpp"

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

namespace kubecni::bench {

namespace {

struct MadeCandidate {
  Candidate candidate;
  PathBed bed;
};

struct PathSeries {
  std::vector<double> rate, cpu, p50_us, p99_us, ebpf_share;
};

bool is_listed(const std::vector<std::string>& list, const std::string& name) {
  return list.empty() || std::ranges::find(list, name) != list.end();
}

bool is_named(const PathOptions& options, const Candidate& candidate) {
  return options.candidates.empty() ||
         std::ranges::any_of(options.candidates, [&](const std::string& part) {
           return candidate.name.find(part) != std::string::npos;
         });
}

Result<std::vector<MadeCandidate>> make_candidates(const PathOptions& options) {
  const auto all = all_candidates(options.programs);
  std::vector<MadeCandidate> made;
  for (const Candidate& candidate : all) {
    if (!is_wanted(options, candidate, all)) continue;
    std::cerr << "making " << candidate.group << ": " << candidate.name << "\n";
    auto bed = candidate.make();
    if (!bed) return fail(bed, candidate.name);
    made.push_back({candidate, std::move(*bed)});
  }
  if (made.empty()) return failure(ENOENT, "no candidate has such a group and name: see --help");
  return made;
}

/// Of all nodes of the candidate; nothing without eBPF.
std::optional<PathNode::Deliveries> deliveries_of(const PathBed& bed) {
  std::optional<PathNode::Deliveries> sum;
  for (const auto& node : bed.nodes) {
    const auto of_node = node->deliveries();
    if (!of_node) continue;
    if (!sum) sum.emplace();
    sum->by_ebpf += of_node->by_ebpf;
    sum->by_kernel += of_node->by_kernel;
  }
  return sum;
}

/// The share of eBPF between two readings.
std::optional<double> share_between(const std::optional<PathNode::Deliveries>& before,
                                    const std::optional<PathNode::Deliveries>& after) {
  if (!before || !after) return {};
  const auto by_ebpf = static_cast<double>(after->by_ebpf - before->by_ebpf);
  const double all = by_ebpf + static_cast<double>(after->by_kernel - before->by_kernel);
  if (all == 0) return {};
  return by_ebpf / all;
}

/// All measurements of a run.
class PathRun {
 public:
  PathRun(const PathOptions& options, const SoftirqClock& softirqs,
          std::vector<MadeCandidate> candidates)
      : options_(&options), softirqs_(&softirqs), candidates_(std::move(candidates)) {}

  Result<> round(unsigned number) {
    for (const WorkInfo& info : kWorks) {
      if (!is_listed(options_->works, info.name)) continue;
      for (const Cores cores : options_->cores)
        for (std::size_t i = 0; i < candidates_.size(); ++i) {
          // Nobody is always the first one after another work.
          const std::size_t index = (i + number) % candidates_.size();
          if (auto done = measure(index, info, cores); !done) return done;
        }
    }
    return {};
  }

  [[nodiscard]] std::vector<PathRow> rows() const {
    std::vector<PathRow> rows;
    for (std::size_t index = 0; index < candidates_.size(); ++index)
      for (const WorkInfo& info : kWorks)
        for (const Cores cores : options_->cores)
          if (const auto found = series_.find({index, info.work, cores}); found != series_.end())
            rows.push_back(row_of(candidates_[index].candidate, info, cores, found->second));
    return rows;
  }

 private:
  Result<> measure(std::size_t index, const WorkInfo& info, Cores cores) {
    const auto& [candidate, bed] = candidates_[index];
    const auto before = deliveries_of(bed);
    auto traffic = measure_traffic(info.work, cores, bed.ends, options_->window, *softirqs_);
    if (!traffic) return fail(traffic, candidate.group + ": " + candidate.name + ": " + info.title);
    PathSeries& series = series_[{index, info.work, cores}];
    series.rate.push_back(traffic->per_second * info.unit_factor);
    series.cpu.push_back(traffic->cpu_s * info.cpu_factor);
    if (auto share = share_between(before, deliveries_of(bed))) series.ebpf_share.push_back(*share);
    if (traffic->p50_us) series.p50_us.push_back(*traffic->p50_us);
    if (traffic->p99_us) series.p99_us.push_back(*traffic->p99_us);
    return {};
  }

  static PathRow row_of(const Candidate& candidate, const WorkInfo& info, Cores cores,
                        const PathSeries& series) {
    return {.group = candidate.group,
            .candidate = candidate.name,
            .limit = candidate.limit,
            .reference = candidate.reference,
            .work = info.work,
            .cores = cores,
            .rate = summarize(series.rate),
            .cpu = summarize(series.cpu),
            .p50_us = summarize(series.p50_us),
            .p99_us = summarize(series.p99_us),
            .ebpf_share = summarize(series.ebpf_share)};
  }

  const PathOptions* options_;
  const SoftirqClock* softirqs_;
  std::vector<MadeCandidate> candidates_;
  std::map<std::tuple<std::size_t, Work, Cores>, PathSeries> series_;
};

}  // namespace

bool is_wanted(const PathOptions& options, const Candidate& candidate,
               const std::vector<Candidate>& all) {
  if (!is_listed(options.groups, candidate.group)) return false;
  return std::ranges::any_of(all, [&](const Candidate& other) {
    return other.group == candidate.group && is_named(options, other) &&
           (candidate.name == other.name || candidate.name == other.limit ||
            candidate.name == other.reference);
  });
}

Result<std::vector<PathRow>> measure_paths(const PathOptions& options,
                                           const SoftirqClock& softirqs) {
  auto candidates = make_candidates(options);
  if (!candidates) return fail(candidates);
  PathRun run(options, softirqs, std::move(*candidates));
  for (unsigned round = 0; round < options.rounds; ++round) {
    std::cerr << "round " << round + 1 << " of " << options.rounds << "\n";
    if (auto done = run.round(round); !done) return fail(done);
  }
  return run.rows();
}

}  // namespace kubecni::bench
