// C70 to C75: GC.

#include "base/file.hpp"
#include "case.hpp"
#include "test_plugins.hpp"

namespace kubecni::cnicheck {

using nlohmann::json;

namespace {

constexpr const char* kValid = "cni.dev/valid-attachments";

json valid(std::initializer_list<const Attachment*> attachments) {
  json list = json::array();
  for (const auto* one : attachments)
    list.push_back({{"containerID", one->target.container_id}, {"ifname", one->target.ifname}});
  return {{kValid, list}};
}

Result<> gc(Scenario& scenario, const Network& network, const json& extra,
            const std::string& what) {
  auto chain = scenario.bench.runner().gc(network, extra);
  if (!chain) return fail(chain);
  return expect_silent_success(chain->end, what);
}

std::map<std::string, std::string> records_of(Scenario& scenario, const Attachment& attachment) {
  return StateSnapshot::take(scenario.bench.settings().state_dirs)
      .mentioning(attachment.target.container_id);
}

Verdict unlisted_removed(Scenario& scenario) {
  auto kept = scenario.attach();
  if (!kept) return fail(kept);
  auto before = scenario.look();
  auto pod_before = scenario.look_at(**kept);
  if (!before || !pod_before) return failure(EIO, "no snapshot");
  const auto records = records_of(scenario, **kept);
  auto stale = scenario.attach();
  if (!stale) return fail(stale);

  if (auto done = gc(scenario, (*kept)->network, valid({*kept}), "GC"); !done) return fail(done);
  if (auto same = scenario.expect_unchanged(*before, "what is not listed is removed",
                                            (*stale)->target.container_id);
      !same)
    return fail(same);
  if (auto same = scenario.expect_pod_unchanged(*pod_before, (*kept)->pod_fd, "the listed pod");
      !same)
    return fail(same);
  if (records_of(scenario, **kept) != records)
    return unmet("the files of the listed pod", "each byte as before", "a change");
  return "";
}

/// GC with the keys of `extra`; no attachment may change.
Verdict nothing_removed(Scenario& scenario) {
  auto attached = scenario.attach();
  if (!attached) return fail(attached);
  auto before = scenario.look();
  auto pod_before = scenario.look_at(**attached);
  if (!before || !pod_before) return failure(EIO, "no snapshot");
  if (auto done = gc(scenario, (*attached)->network, nullptr, "GC without the list"); !done)
    return fail(done);
  if (auto same = scenario.expect_unchanged(*before, "GC without the list"); !same)
    return fail(same);
  if (auto same = scenario.expect_pod_unchanged(*pod_before, (*attached)->pod_fd, "the pod"); !same)
    return fail(same);
  return "";
}

/// An empty list is [] from most runtimes and null from CRI-O.
Verdict all_removed(Scenario& scenario) {
  auto before = scenario.look();
  if (!before) return fail(before);
  for (const json& list : {json::array(), json()}) {
    auto attached = scenario.attach();
    if (!attached) return fail(attached);
    const std::string what = "GC with the list " + list.dump();
    if (auto done = gc(scenario, (*attached)->network, {{kValid, list}}, what); !done)
      return fail(done);
    if (auto same = scenario.expect_unchanged(*before, what, (*attached)->target.container_id);
        !same)
      return fail(same);
  }
  return "";
}

/// Restores what it broke, so that the attachment's DEL finds it.
Verdict broken_record(Scenario& scenario) {
  auto broken = scenario.attach();
  if (!broken) return fail(broken);
  const auto records = records_of(scenario, **broken);
  if (records.empty()) return not_applicable("no file in a --state-dir names the container");
  auto stale = scenario.attach();
  if (!stale) return fail(stale);
  for (const auto& [path, content] : records)
    if (auto written = write_file_atomically(path, "{ not a record"); !written)
      return fail(written);
  auto chain = scenario.bench.runner().gc((*stale)->network, valid({}));
  const auto left = records_of(scenario, **stale);
  auto node = KernelSnapshot::take(scenario.bench.node().fd());
  for (const auto& [path, content] : records)
    if (auto written = write_file_atomically(path, content); !written) return fail(written);

  if (!chain) return fail(chain);
  if (chain->end.succeeded() && chain->end.err.empty())
    return unmet("GC with a broken record", "an error, or words about it", "neither");
  if (chain->end.timed_out || chain->end.status >= 128)
    return unmet("GC with a broken record", "an end", chain->end.describe());
  if (!left.empty())
    return unmet("the other attachment", "removed", "its record " + left.begin()->first);
  return chain->end.succeeded() ? "reported on stderr" : "reported as an error";
}

Verdict delegate_called(Scenario& scenario) {
  const Bench& bench = scenario.bench;
  const bool own = bench.network().plugins.front().contains("ipam");
  auto network = own ? Result<Network>(bench.network())
                     : bench.other_network(bench.settings().ipam_conf, "--ipam-conf");
  if (!network) return fail(network);
  const auto log = bench.folder() / "gc.log";
  network->name += "-gc";
  network->plugins.front()["ipam"] = {{"type", kIpamPlugin}, {"log", log.string()}};
  if (auto done = gc(scenario, *network, valid({}), "GC"); !done) return fail(done);
  const auto verbs = read_file(log);
  if (!verbs || !verbs->contains("GC"))
    return unmet("the delegate", "a call of GC", verbs ? *verbs : "none");
  return "";
}

/// The other network has the same configuration under another name, unless given.
Verdict other_network_kept(Scenario& scenario) {
  const auto& path = scenario.bench.settings().other_conf;
  auto other = path.empty() ? Result<Network>(scenario.bench.network()) : Network::load(path);
  if (!other) return fail(other, "--other-conf");
  if (path.empty()) other->name += "-other";
  auto kept = scenario.attach(&*other);
  if (!kept) return fail(kept, "the other network");
  auto before = scenario.look();
  auto pod_before = scenario.look_at(**kept);
  if (!before || !pod_before) return failure(EIO, "no snapshot");
  auto stale = scenario.attach();
  if (!stale) return fail(stale);
  if (auto done = gc(scenario, (*stale)->network, valid({}), "GC"); !done) return fail(done);
  if (auto same = scenario.expect_unchanged(*before, "the other network's attachment stays",
                                            (*stale)->target.container_id);
      !same)
    return fail(same);
  if (auto same =
          scenario.expect_pod_unchanged(*pod_before, (*kept)->pod_fd, "the other network's pod");
      !same)
    return fail(same);
  return "";
}

constexpr Case kGcCases[] = {
    {"C70", "GC removes what is not listed and keeps the rest as it is", "GC", "1.1.0",
     &unlisted_removed},
    {"C71", "GC without the list changes nothing", "GC", "1.1.0", &nothing_removed},
    {"C72", "GC with an empty list removes all", "GC", "1.1.0", &all_removed},
    {"C73", "GC reports a broken record and goes on", "GC", "1.1.0", &broken_record},
    {"C74", "GC calls the delegate's GC", "GC", "1.1.0", &delegate_called},
    {"C75", "GC leaves another network in the same folder alone", "GC", "1.1.0",
     &other_network_kept},
};

}  // namespace

std::span<const Case> gc_cases() { return kGcCases; }

}  // namespace kubecni::cnicheck
