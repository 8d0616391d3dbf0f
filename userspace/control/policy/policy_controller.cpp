#include "control/policy/policy_controller.hpp"

#include "dataplane/map_generation.hpp"
#include "dataplane/node_tables.hpp"
#include "dataplane/pins.hpp"
#include "net/bridge.hpp"
#include "net/link.hpp"
#include "state/policy_mark.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>

namespace kubecni {

namespace {

bool is_in(const std::vector<IpNet>& networks, const IpAddr& address) {
  return std::ranges::any_of(networks,
                             [&](const IpNet& network) { return network.contains(address); });
}

PolicyOrigin origin_of(const DaemonOptions& options) {
  std::error_code error;  // then the path stays relative
  const auto file = options.policy_file.empty()
                        ? options.policy_file
                        : std::filesystem::absolute(options.policy_file, error);
  return {.policy_file = file.string(),
          .kubeconfig = options.api.kubeconfig.string(),
          .api_servers = options.api.api_servers,
          .ca_file = options.api.ca_file,
          .token_file = options.api.token_file,
          .is_insecure = options.api.insecure_skip_tls_verify};
}

PolicyIsolation isolation_by(const std::string& chain, const CompiledPolicy& policy) {
  const auto found = policy.chains.find(chain);
  if (found == policy.chains.end()) return {};
  return {.chain = chain, .policies = found->second.policies};
}

/// What is large, and in the table's plan, too.
void forget_content(CompiledPolicy& policy) {
  policy.sets.clear();
  for (auto& [name, chain] : policy.chains) chain.terms = std::vector<PolicyTerm>();
}

PolicyTableSpec spec_of(CompiledPolicy policy, const std::vector<LocalPod>& locals,
                        const OwnNetworks& own) {
  PolicyTableSpec spec{
      .policy = std::move(policy), .own_pods = own.pods, .open = own.not_pods, .closed = {}};
  for (const LocalPod& local : locals)
    for (const IpAddr& address : local.addresses)
      if (!spec.policy.subjects.contains(address) && !is_in(own.pods, address))
        spec.closed.push_back(address);
  return spec;
}

}  // namespace

std::vector<PolicyPodStatus> describe_pods(const PolicyTableSpec& spec,
                                           const std::vector<Attachment>& attachments) {
  std::vector<PolicyPodStatus> pods;
  pods.reserve(attachments.size());
  for (const Attachment& attachment : attachments) {
    PolicyPodStatus& pod = pods.emplace_back();
    pod.pod = attachment.pod;
    for (const IpAddr& address : attachment.port.plain_addresses()) {
      pod.addresses.push_back(address.str());
      const auto subject = spec.policy.subjects.find(address);
      if (subject == spec.policy.subjects.end()) continue;
      pod.is_known = true;
      pod.ingress = isolation_by(subject->second.ingress, spec.policy);
      pod.egress = isolation_by(subject->second.egress, spec.policy);
    }
  }
  std::ranges::sort(pods, {},
                    [](const PolicyPodStatus& pod) { return std::tie(pod.pod, pod.addresses); });
  return pods;
}

std::vector<LocalPod> local_pods(const std::vector<Attachment>& attachments) {
  std::vector<LocalPod> locals;
  locals.reserve(attachments.size());
  for (const Attachment& attachment : attachments)
    locals.push_back({attachment.pod, attachment.port.all_addresses(), attachment.pod_uid});
  std::ranges::sort(locals);
  return locals;
}

std::set<std::string> namespaces_with_policies(const PolicyObjects& objects) {
  std::set<std::string> spaces;
  for (const NetworkPolicy& policy : objects.policies) spaces.insert(policy.space);
  return spaces;
}

PolicyTableSpec plan_policies(const PolicyObjects& objects, const std::vector<LocalPod>& locals,
                              const OwnNetworks& own, const std::vector<LocalPod>& talking) {
  CompiledPolicy policy = compile_policies(objects, locals);
  for (const LocalPod& local : locals) {
    if (std::ranges::find(talking, local) != talking.end()) continue;
    for (const IpAddr& address : local.addresses) {
      const auto subject = policy.subjects.find(address);
      if (subject != policy.subjects.end() && subject->second.awaits_peers)
        policy.subjects.erase(subject);
    }
  }
  return spec_of(std::move(policy), locals, own);
}

PolicyTableSpec plan_by_mark(const std::filesystem::path& state_dir,
                             const std::vector<LocalPod>& locals, const OwnNetworks& own) {
  CompiledPolicy policy;
  for (const LocalPod& local : locals)
    if (!may_be_selected(state_dir, local.pod))
      for (const IpAddr& address : local.addresses)
        policy.subjects.emplace(address, PolicySubject{});
  return spec_of(std::move(policy), locals, own);
}

Result<PolicyController> PolicyController::open(const DaemonOptions& options) {
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  return PolicyController(options, std::move(*netlink));
}

bool PolicyController::open_table(Outcome& outcome) {
  if (table_) return true;
  auto opened = PolicyTable::open();
  if (!opened)
    outcome.fail("network policies are not enforced: " + opened.error().what);
  else
    table_ = std::move(*opened);
  return table_.has_value();
}

void PolicyController::prepare(const OwnNetworks& own, const PolicyView& policies,
                               Outcome& outcome) {
  view_ = policies;
  own_ = own;
  // Before the records are read: an ADD that has not seen the mark has written its record.
  decide(outcome);
  listen(outcome);
  listen_to_denials(outcome);
  auto listing = AttachmentStore(options_.state_dir).list();
  if (!listing) return outcome.fail(listing.error().what);
  attachments_ = std::move(listing->attachments);
  if (mode_ != Mode::kEnforce) return;
  is_removed_ = false;
  plan();
  judged_.clear();
  for (const Attachment& attachment : attachments_)
    if (policed(attachment) != Policed::kNo) judged_.insert(attachment.key());
  for (const PolicyProblem& problem : spec_.policy.problems)
    outcome.say(ConditionKind::kPolicy, problem.reason + "; it closes its pods", problem.policy);
}

void PolicyController::decide(Outcome& outcome) {
  if (!view_.is_on) {
    mode_ = Mode::kOff;
  } else if (view_.objects) {
    const bool was_off = mode_ == Mode::kOff;
    mode_ = view_.objects->policies.empty() ? Mode::kOff : Mode::kEnforce;
    were_open_ = were_open_ || (was_off && mode_ == Mode::kEnforce);
    if (mode_ == Mode::kEnforce &&
        (marked_version_ != view_.version || !has_policies(options_.state_dir))) {
      auto marked = mark_policies(options_.state_dir, namespaces_with_policies(*view_.objects));
      if (marked)
        marked_version_ = view_.version;
      else
        outcome.fail("policies not marked: " + marked.error().what);
    }
  } else if (mode_ == Mode::kAsIs && has_policies(options_.state_dir)) {
    decide_by_mark(outcome);
  }
  if (view_.is_on && !view_.error.empty())
    outcome.say(ConditionKind::kPolicy,
                "network policies cannot be read, and stay as they were: " + view_.error);
}

/// Nothing is known yet. A table of before goes on; without one, as after a boot, nobody may talk
/// whom a policy may select.
void PolicyController::decide_by_mark(Outcome& outcome) {
  if (!open_table(outcome)) return;
  auto exists = table_->exists();
  if (!exists) return outcome.fail(exists.error().what);
  outcome.say(ConditionKind::kPolicy,
              *exists ? "network policies are not known yet: they stay as they were"
                      : "network policies are not known yet, and the cluster has some: the pods of "
                        "this node are closed");
  if (!*exists) mode_ = Mode::kEnforce;
}

/// Hears at once of new pods, and of what others do to the table. Without it, a round is needed.
void PolicyController::listen(Outcome& outcome) {
  if (mode_ != Mode::kEnforce) {
    records_.reset();
    monitor_.reset();
    return;
  }
  const auto keep = [&](auto& listener, auto opened) {
    if (!opened) return outcome.fail(opened.error().what);
    listener.emplace(std::move(*opened));
  };
  if (!records_) keep(records_, FolderWatch::open());
  if (!monitor_) keep(monitor_, NftMonitor::open(kPolicyTableName));
  if (!records_) return;
  auto folders = AttachmentStore(options_.state_dir).folders();
  if (!folders) return outcome.fail(folders.error().what);
  for (const auto& folder : *folders)
    if (auto watched = records_->watch_names(folder); !watched && watched.error().code != ENOENT)
      outcome.fail(watched.error().what);
}

/// Without it, the table does not log, and enforces all the same.
void PolicyController::listen_to_denials(Outcome& outcome) {
  if (!options_.policy_log || mode_ != Mode::kEnforce) {
    denied_.reset();
    return;
  }
  if (denied_) return;
  auto opened = DeniedLog::open();
  if (!opened)
    return outcome.say(ConditionKind::kPolicy,
                       "denied packets are not logged: " + opened.error().what);
  denied_.emplace(std::move(*opened));
  planned_version_.reset();
}

std::vector<LoggedDenial> PolicyController::take_denials() {
  if (!denied_) return {};
  static const PolicyObjects none;
  return denied_->take(spec_.policy, view_.objects ? *view_.objects : none);
}

/// The pods whose policies are in force, as far as they are known.
std::vector<LocalPod> PolicyController::talking(const std::vector<LocalPod>& locals) const {
  if (were_open_) return locals;
  std::vector<LocalPod> pods = planned_locals_;
  std::erase_if(pods, [this](const LocalPod& pod) {
    return std::ranges::none_of(pod.addresses, [this](const IpAddr& address) {
      return spec_.policy.subjects.contains(address);
    });
  });
  return pods;
}

/// Anew if anything has changed.
void PolicyController::plan() {
  auto locals = local_pods(attachments_);
  if (planned_version_ == view_.version && planned_locals_ == locals && planned_own_ == own_)
    return;
  spec_ = view_.objects ? plan_policies(*view_.objects, locals, own_, talking(locals))
                        : plan_by_mark(options_.state_dir, locals, own_);
  spec_.logs = denied_.has_value();
  spec_.rejects_egress = options_.policy_denied == "reject";
  plan_ = std::make_shared<const PolicyTablePlan>(plan_policy_table(spec_));
  forget_content(spec_.policy);
  planned_version_ = view_.version;
  planned_locals_ = std::move(locals);
  were_open_ = false;
  planned_own_ = own_;
}

Policed PolicyController::policed(const Attachment& attachment) const {
  if (mode_ == Mode::kOff) return Policed::kNo;
  if (mode_ == Mode::kAsIs) return has_policies(options_.state_dir) ? Policed::kAsIs : Policed::kNo;
  for (const IpAddr& address : attachment.port.plain_addresses()) {
    const auto subject = spec_.policy.subjects.find(address);
    // It has come since, or nothing is known of it.
    if (subject == spec_.policy.subjects.end() || subject->second.is_isolated())
      return Policed::kYes;
  }
  return Policed::kNo;
}

/// Bridged packets meet the table whatever bridge-nf-call-iptables says.
/// Result: whether one did not.
bool PolicyController::sync_bridges(Outcome& outcome) {
  std::set<std::string> names{options_.bridge};
  for (const Attachment& attachment : attachments_) names.insert(attachment.port.bridge);
  auto links = list_links(netlink_);
  if (!links) {
    outcome.fail(links.error().what);
    return true;
  }
  bool has_changed = false;
  for (const Link& link : *links) {
    if (!names.contains(link.name)) continue;
    auto ensured = ensure_bridge_meets_netfilter(netlink_, link);
    if (!ensured) outcome.fail(ensured.error().what);
    if (ensured && *ensured)
      outcome.changes.push_back("bridge " + link.name + " hands its packets to netfilter");
    has_changed = has_changed || !ensured || *ensured;
  }
  return has_changed;
}

/// Ends what the programs have noted of flows that the former rules let pass. A packet that was
/// judged by these rules may be noted after that, so it is done again when none is on its way.
void PolicyController::end_answers(bool is_change, Outcome& outcome) {
  auto generation = MapGeneration::open(PinPaths(options_.bpffs).maps);
  if (!generation && generation.error().code == ENOENT) return;  // no programs are loaded
  if (!generation) {
    must_end_again_ = true;
    return outcome.fail(generation.error().what);
  }
  generation->raise();
  // Packets are processed under RCU, and this waits for it. It fails with nohz_full
  // (membarrier(2)).
  const bool has_failed = ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) != 0;
  must_end_again_ = has_failed && (is_change || !must_end_again_);
  generation->raise();
}

/// While it is required, the programs drop what the table has not let pass: a table that somebody
/// removes does not open the pods. The table of an older version sets no marks, so it is required
/// after the table is written.
void PolicyController::require_judgement(bool is_required, Outcome& outcome) const {
  auto config = NodeConfig::open(options_.bpffs);
  if (!config && config.error().code == ENOENT) return;  // no programs are loaded
  const auto set = config ? config->set_needs_judged_mark(is_required) : fail(config);
  if (!set) outcome.fail(set.error().what);
}

/// The same of packets that meet no program: on the kernel path, and on their way out of the
/// cluster.
void PolicyController::close_policed(Outcome& outcome) {
  std::set<IpAddr> addresses;
  for (const Attachment& attachment : attachments_)
    if (policed(attachment) != Policed::kNo)
      for (const IpAddr& address : attachment.port.all_addresses()) addresses.insert(address);
  close(addresses, outcome);
}

/// The same while a table of before goes on.
void PolicyController::close_as_before(Outcome& outcome) {
  if (!table_ || !has_policies(options_.state_dir)) return closed_.remove();
  auto before = table_->read_before();
  if (!before) return outcome.fail(before.error().what);
  if (!*before) return closed_.remove();
  require_judgement(true, outcome);
  const auto& [known, isolated] = **before;
  std::set<IpAddr> addresses;
  for (const Attachment& attachment : attachments_)
    for (const IpAddr& address : attachment.port.all_addresses())
      if (!known.contains(address) || isolated.contains(address)) addresses.insert(address);
  close(addresses, outcome);
}

void PolicyController::close(const std::set<IpAddr>& addresses, Outcome& outcome) {
  if (auto closed = closed_.sync(addresses); !closed)
    outcome.fail("where no program looks, pods are open while their policies' table is removed: " +
                 closed.error().what);
}

/// By the records as they are while nobody else may change what the table has about pods: ADD and
/// DEL remove what it has about an address that no record has.
Result<std::string> PolicyController::sync_table(const std::function<void()>& in_force) {
  const AttachmentStore store(options_.state_dir);
  auto lock = store.lock_policies();
  if (!lock) return fail(lock);
  auto listing = store.list();
  if (!listing) return fail(listing);
  attachments_ = std::move(listing->attachments);
  plan();
  return table_->sync(plan_, in_force);
}

/// Fills status_ with all but what force() finds out.
void PolicyController::describe() {
  const bool are_known = view_.is_on && view_.objects;
  status_.origin = origin_of(options_);
  status_.awaits_peers = are_known && view_.objects->awaits_peers;
  status_.mode = !view_.is_on ? "off" : !are_known ? "not known" : "enforced";
  status_.error = view_.error;
  status_.broken.clear();
  status_.pods.clear();
  status_.policies = 0;
  if (!are_known) return;
  status_.policies = static_cast<unsigned>(view_.objects->policies.size());
  status_.revision = static_cast<unsigned>(view_.version);
  if (mode_ == Mode::kOff) {
    status_.mode = "none";
    return;
  }
  for (const PolicyProblem& problem : spec_.policy.problems)
    status_.broken.push_back({problem.policy, problem.reason});
  status_.pods = describe_pods(spec_, attachments_);
}

/// The table is as the objects want it, as far as they are known.
void PolicyController::note_in_force() {
  if (view_.objects && view_.objects->awaits_peers) return;
  if (status_.revision == status_.forced_revision) return;
  status_.forced_revision = status_.revision;
  status_.seconds_to_force =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - view_.heard_at).count();
}

/// The policies of the chains that the kernel refuses, each once.
std::vector<PolicyProblem> PolicyController::refused_policies() const {
  std::map<std::string, std::string> reasons;
  for (const auto& [chain, reason] : table_->refused())
    for (const auto& [name, content] : spec_.policy.chains)
      if (chain.starts_with(name))
        for (const std::string& policy : content.policies) reasons.emplace(policy, reason);
  std::vector<PolicyProblem> refused;
  refused.reserve(reasons.size());
  for (const auto& [policy, reason] : reasons)
    refused.push_back({policy, "the kernel refuses its rules: " + reason});
  return refused;
}

/// Writes the table, and ends what the former one let pass.
void PolicyController::force(bool must_end, Outcome& outcome) {
  bool has_ended = false;
  auto change = sync_table([&] {
    end_answers(true, outcome);
    has_ended = true;
  });
  describe();
  for (const PolicyProblem& refused : refused_policies()) {
    outcome.say(ConditionKind::kPolicy, refused.reason + "; it closes its pods", refused.policy);
    status_.broken.push_back({refused.policy, refused.reason});
  }
  if (const auto hook = table_->refused().find(kOutputHook); hook != table_->refused().end())
    outcome.fail(
        "what the node sends for others (IPVS) is not judged by network policies; eBPF drops it: " +
        hook->second + "; probably the kernel has no nft_fib_inet: load this module");
  if (!change) {
    outcome.fail("network policies are not enforced as they should be: " + change.error().what);
    status_.error = change.error().what;
  } else if (!change->empty()) {
    outcome.changes.push_back(*change);
  }
  // A change that failed may have been made in part.
  const bool is_change = !change || !change->empty();
  if (!has_ended && (is_change || must_end)) end_answers(is_change, outcome);
  if (!change) return;
  require_judgement(true, outcome);
  close_policed(outcome);
  note_in_force();
}

void PolicyController::apply(Outcome& outcome) {
  describe();
  if (mode_ == Mode::kOff) return remove(outcome);
  if (mode_ == Mode::kAsIs) return close_as_before(outcome);
  if (!open_table(outcome)) return;
  const bool met_netfilter = !sync_bridges(outcome);
  force(!met_netfilter || must_end_again_, outcome);
}

bool PolicyController::take_changes() {
  const bool of_records = records_ && records_->drain();
  const bool of_table = monitor_ && monitor_->take_changes();
  return of_records || (of_table && table_ && !table_->is_as_left());
}

void PolicyController::catch_up(Outcome& outcome) {
  if (mode_ == Mode::kEnforce && table_) force(false, outcome);
}

bool PolicyController::follow(const PolicyView& policies, Outcome& outcome) {
  if (mode_ == Mode::kOff && is_removed_ && policies.objects &&
      policies.objects->policies.empty()) {
    view_ = policies;
    describe();
    note_in_force();
    return true;
  }
  if (mode_ != Mode::kEnforce || !table_) return false;
  view_ = policies;
  decide(outcome);
  if (mode_ != Mode::kEnforce) return false;
  // As in prepare(): an ADD whose record is not among them sees the new mark.
  auto listing = AttachmentStore(options_.state_dir).list();
  if (!listing) return false;
  attachments_ = std::move(listing->attachments);
  plan();
  const bool needs_round = std::ranges::any_of(attachments_, [this](const Attachment& attachment) {
    return policed(attachment) != Policed::kNo && !judged_.contains(attachment.key());
  });
  if (needs_round) return false;
  force(false, outcome);
  return true;
}

void PolicyController::remove(Outcome& outcome) {
  require_judgement(false, outcome);
  closed_.remove();
  if (is_removed_) return note_in_force();
  planned_version_.reset();
  marked_version_.reset();
  auto opened = table_ ? Result<>() : [&]() -> Result<> {
    auto table = PolicyTable::open();
    if (!table) return fail(table);
    table_ = std::move(*table);
    return {};
  }();
  // Without netfilter there is no table.
  if (!opened && opened.error().code != EPROTONOSUPPORT) return outcome.fail(opened.error().what);
  if (opened) {
    auto removed = table_->remove();
    if (!removed) return outcome.fail(removed.error().what);
    if (*removed)
      outcome.changes.push_back(std::string("nftables table ") + kPolicyTable + " removed");
  }
  auto marked = mark_policies(options_.state_dir, {});
  if (!marked) return outcome.fail(marked.error().what);
  is_removed_ = true;
  note_in_force();
}

void PolicyController::clean_up(Outcome& outcome) const {
  require_judgement(false, outcome);
  auto table = PolicyTable::open();
  auto removed = table                                   ? table->remove()
                 : table.error().code == EPROTONOSUPPORT ? Result<bool>(false)
                                                         : fail(table);
  if (!removed) return outcome.fail(removed.error().what);
  if (*removed)
    outcome.changes.push_back(std::string("nftables table ") + kPolicyTable + " removed");
  // With the mark, and without the table, ADD would refuse every pod.
  if (auto marked = mark_policies(options_.state_dir, {}); !marked)
    outcome.fail(marked.error().what);
}

}  // namespace kubecni
