// C50 to C53: CHECK.

#include "base/file.hpp"
#include "case.hpp"
#include "result_schema.hpp"

#include <functional>

namespace kubecni::cnicheck {

using nlohmann::json;

namespace {

Result<ProcessEnd> check(Scenario& scenario, const Attachment& attachment) {
  auto chain =
      scenario.bench.runner().check(attachment.network, attachment.target, attachment.result);
  if (!chain) return fail(chain);
  return std::move(chain->end);
}

Verdict right_after_add(Scenario& scenario) {
  auto attached = scenario.attach();
  if (!attached) return fail(attached);
  auto end = check(scenario, **attached);
  if (!end) return fail(end);
  if (!end->succeeded()) return unmet("CHECK", "success", end->describe());
  return "";
}

Verdict silent(Scenario& scenario) {
  auto attached = scenario.attach();
  if (!attached) return fail(attached);
  auto before = scenario.look();
  auto pod_before = scenario.look_at(**attached);
  if (!before || !pod_before) return failure(EIO, "no snapshot");
  auto end = check(scenario, **attached);
  if (!end) return fail(end);
  if (auto well = expect_silent_success(*end, "CHECK"); !well) return fail(well);
  if (auto same = scenario.expect_unchanged(*before, "CHECK"); !same) return fail(same);
  if (auto same = scenario.expect_pod_unchanged(*pod_before, (*attached)->pod_fd, "CHECK"); !same)
    return fail(same);
  return "";
}

/// One way to break an attachment. Errors: ENOTSUP it does not apply.
struct Damage {
  const char* what;
  std::function<Result<>(Scenario&, const Attachment&)> inflict;
};

Result<> run_in(int netns_fd, const std::vector<std::string>& args) {
  auto done = run_ip(netns_fd, args);
  if (!done) return fail(done);
  return {};
}

/// The first route of the result; else the default route of the pod.
Result<> remove_route(Scenario& scenario, const Attachment& attachment) {
  auto pod = scenario.look_at(attachment);
  if (!pod) return fail(pod);
  for (const auto& wanted : attachment.result.value("routes", json::array())) {
    const std::string dst = wanted.value("dst", "");
    const char* family = dst.contains(':') ? "-6" : "-4";
    return run_in(attachment.pod_fd, {family, "route", "del", dst});
  }
  for (const auto& route : pod->routes())
    if (route.value("dst", "") == "default")
      return run_in(attachment.pod_fd, {"route", "del", "default"});
  return not_applicable("the pod has no route but that of its network");
}

Result<> remove_address(Scenario&, const Attachment& attachment) {
  const auto nets = result_addresses(attachment.result);
  if (nets.empty()) return not_applicable("the result has no address");
  return run_in(attachment.pod_fd,
                {"address", "del", nets.front().str(), "dev", attachment.target.ifname});
}

/// The host's end of the pod's link, if it is a veth into the node's namespace.
Result<json> host_end(Scenario& scenario, const Attachment& attachment) {
  auto node = KernelSnapshot::take(scenario.bench.node().fd());
  auto pod = scenario.look_at(attachment);
  if (!node || !pod) return failure(EIO, "no snapshot");
  const json peer = pod->link(attachment.target.ifname).value("link_index", json());
  for (const auto& link : node->links())
    if (link.value("linkinfo", json::object()).value("info_kind", "") == "veth" &&
        link["ifindex"] == peer)
      return link;
  return not_applicable("the pod's link has no end on the node");
}

Result<> take_out_of_bridge(Scenario& scenario, const Attachment& attachment) {
  auto host = host_end(scenario, attachment);
  if (!host) return fail(host);
  if (!host->contains("master")) return not_applicable("the host's end is in no bridge");
  return run_in(scenario.bench.node().fd(), {"link", "set", (*host)["ifname"], "nomaster"});
}

Result<> remove_reservation(Scenario& scenario, const Attachment& attachment) {
  if (scenario.bench.settings().hooks.contains("delete-state"))
    return scenario.bench.run_hook("delete-state", attachment.target.container_id);
  const auto files = StateSnapshot::take(scenario.bench.settings().state_dirs)
                         .mentioning(attachment.target.container_id);
  if (files.empty()) return not_applicable("no file in a --state-dir names the container");
  for (const auto& [path, content] : files)
    if (auto deleted = delete_file(path); !deleted) return fail(deleted);
  return {};
}

const std::vector<Damage>& damages() {
  const auto in_pod = [](const std::vector<std::string>& args) {
    return
        [args](Scenario&, const Attachment& attachment) { return run_in(attachment.pod_fd, args); };
  };
  const auto by_hook = [](const char* name) {
    return [name](Scenario& scenario, const Attachment& attachment) {
      return scenario.bench.run_hook(name, attachment.target.container_id);
    };
  };
  static const std::vector<Damage> kDamages{
      {"link down", in_pod({"link", "set", "eth0", "down"})},
      {"link removed", in_pod({"link", "del", "eth0"})},
      {"address removed", &remove_address},
      {"route removed", &remove_route},
      {"MTU changed", in_pod({"link", "set", "eth0", "mtu", "1234"})},
      {"host's end out of the bridge", &take_out_of_bridge},
      {"reservation gone", &remove_reservation},
      {"dataplane detached", by_hook("detach-dataplane")},
      {"endpoint removed", by_hook("remove-endpoint")},
  };
  return kDamages;
}

/// Restores what hooks took away from all pods.
Result<> repair(Scenario& scenario) {
  scenario.bench.warm_up();
  if (!scenario.bench.settings().hooks.contains("attach-dataplane")) return {};
  return scenario.bench.run_hook("attach-dataplane");
}

Verdict notices_damage(Scenario& scenario) {
  std::vector<std::string> found, noticed, skipped;
  for (const auto& [what, inflict] : damages()) {
    Scenario step(scenario.bench);
    auto attached = step.attach();
    if (!attached) return fail(attached);
    auto inflicted = inflict(step, **attached);
    if (!inflicted && inflicted.error().code == ENOTSUP) {
      skipped.push_back(std::string(what) + " (" + inflicted.error().what + ")");
      continue;
    }
    if (!inflicted) return fail(inflicted);
    auto end = check(step, **attached);
    if (!end) return fail(end);
    if (auto error = expect_error(*end, {}, std::string("CHECK after ") + what); error)
      noticed.emplace_back(what);
    else
      found.push_back(error.error().what);
    if (auto repaired = repair(step); !repaired) return fail(repaired);
  }
  if (!found.empty()) return failures(found);
  if (noticed.empty()) return not_applicable(joined(skipped));
  return joined(noticed) + (skipped.empty() ? "" : "; not tried: " + joined(skipped));
}

Verdict extra_route(Scenario& scenario) {
  auto attached = scenario.attach();
  if (!attached) return fail(attached);
  const int pod_fd = (*attached)->pod_fd;
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{"route", "add", "198.51.100.0/24", "dev", "eth0"},
        {"link", "add", "extra0", "type", "veth", "peer", "name", "extra1"},
        {"rule", "add", "from", "203.0.113.0/24", "table", "100"}})
    if (auto done = run_in(pod_fd, args); !done) return fail(done);
  auto end = check(scenario, **attached);
  if (!end) return fail(end);
  if (auto well = expect_silent_success(*end, "CHECK with an extra route, rule and link"); !well)
    return fail(well);
  return "";
}

constexpr Case kCheckCases[] = {
    {"C50", "CHECK right after ADD succeeds", "CHECK", "0.4.0", &right_after_add},
    {"C51", "CHECK notices each kind of damage", "CHECK", "0.4.0", &notices_damage},
    {"C52", "CHECK accepts what a chained plugin added", "CHECK", "0.4.0", &extra_route},
    {"C53", "CHECK prints nothing and changes nothing", "CHECK", "0.4.0", &silent},
};

}  // namespace

std::span<const Case> check_cases() { return kCheckCases; }

}  // namespace kubecni::cnicheck
