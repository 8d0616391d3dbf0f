#include "scenario.hpp"

#include "base/file.hpp"
#include "parallel.hpp"

#include <poll.h>

#include <cerrno>
#include <functional>
#include <tuple>

namespace kubecni::cnicheck {

using nlohmann::json;

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kSettleTime = std::chrono::seconds(2);
constexpr int kPollMs = 20;

using Differences = std::vector<std::string>;

/// Repeats until there are no differences, or a node's time is up.
Result<> expect_settled(const std::string& what, const std::function<Result<Differences>()>& look) {
  const auto deadline = Clock::now() + kSettleTime;
  for (;;) {
    auto found = look();
    if (!found) return fail(found);
    if (found->empty()) return {};
    if (Clock::now() > deadline) return unmet(what, "the node as it was before", joined(*found));
    poll(nullptr, 0, kPollMs);
  }
}

Differences left_over(const NodeState& before, const NodeState& now,
                      const std::string& container_id) {
  auto found = before.kernel.differences(now.kernel);
  for (auto& file : before.files.differences(now.files)) found.push_back(std::move(file));
  if (!container_id.empty())
    for (const auto& [path, content] : now.files.mentioning(container_id))
      found.push_back("file " + path + " still names the container");
  return found;
}

}  // namespace

Scenario::Scenario(Bench& bench_) : bench(bench_), start_(look()) {}

Scenario::~Scenario() {
  std::vector<Attachment*> left;
  for (auto& attachment : attachments_)
    if (!attachment.gone) left.push_back(&attachment);
  run_parallel(left.size(), [&](std::size_t i) {
    const auto& [network, target, result, pod_fd, gone] = *left[i];
    std::ignore = bench.runner().del(network, target, result);
  });
  pods_.clear();
  if (keeps_leftovers_ || !start_) return;
  delete_new_links();
  delete_new_files();
}

void Scenario::delete_new_links() {
  const auto now = KernelSnapshot::take(bench.node().fd());
  if (!now) return;
  for (const auto& link : now->links()) {
    const std::string name = link.value("ifname", "");
    const std::string kind = link.value("linkinfo", json::object()).value("info_kind", "");
    if (kind != "bridge" && start_->kernel.link(name).is_null())
      std::ignore = run_ip(bench.node().fd(), {"link", "del", name});
  }
}

void Scenario::delete_new_files() {
  const auto now = StateSnapshot::take(bench.settings().state_dirs);
  for (const auto& path : start_->files.added_in(now)) std::ignore = delete_file(path);
}

Result<TestNamespace*> Scenario::new_pod() {
  auto pod = TestNamespace::create(bench.next_name());
  if (!pod) return fail(pod);
  return &pods_.emplace_back(std::move(*pod));
}

Attachment* Scenario::remember(Attachment attachment) {
  return &attachments_.emplace_back(std::move(attachment));
}

Result<Attachment*> Scenario::attach(const Network* network) {
  auto pod = new_pod();
  if (!pod) return fail(pod);
  return attach(network ? *network : bench.network(), {bench.next_name(), (*pod)->path()},
                (*pod)->fd());
}

Result<Attachment*> Scenario::attach(const Network& network, const Target& target, int pod_fd,
                                     const json& runtime_config) {
  auto chain = bench.runner().add(network, target, runtime_config);
  if (!chain) return fail(chain);
  auto result = expect_result(chain->end, network.result_version(), "ADD (" + chain->type + ")");
  // A failed one gets its DEL, too, as from a runtime.
  Attachment* made = remember({network, target, result ? *result : json(), pod_fd});
  if (!result) return fail(result);
  return made;
}

Result<> Scenario::detach(Attachment& attachment) {
  return detach(attachment, attachment.target, attachment.result);
}

Result<> Scenario::detach(Attachment& attachment, const Target& target, const json& prev_result) {
  auto chain = bench.runner().del(attachment.network, target, prev_result);
  if (!chain) return fail(chain);
  if (auto silent = expect_silent_success(chain->end, "DEL (" + chain->type + ")"); !silent)
    return fail(silent);
  attachment.gone = true;
  return {};
}

Result<NodeState> Scenario::look() const {
  auto kernel = KernelSnapshot::take(bench.node().fd());
  if (!kernel) return fail(kernel);
  return NodeState{std::move(*kernel), StateSnapshot::take(bench.settings().state_dirs)};
}

Result<> Scenario::expect_unchanged(const NodeState& before, const std::string& what,
                                    const std::string& container_id) const {
  return expect_settled(what, [&]() -> Result<Differences> {
    auto now = look();
    if (!now) return fail(now);
    return left_over(before, *now, container_id);
  });
}

Result<> Scenario::expect_kernel_unchanged(const KernelSnapshot& before,
                                           const std::string& what) const {
  return expect_settled(what, [&]() -> Result<Differences> {
    auto now = KernelSnapshot::take(bench.node().fd());
    if (!now) return fail(now);
    return before.differences(*now);
  });
}

Result<> Scenario::expect_pod_unchanged(const KernelSnapshot& before, int pod_fd,
                                        const std::string& what) const {
  auto now = KernelSnapshot::take(pod_fd);
  if (!now) return fail(now);
  if (const auto found = before.differences(*now); !found.empty())
    return unmet(what, "the pod as it was before", joined(found));
  return {};
}

}  // namespace kubecni::cnicheck
