#include "control/policy/policy_table.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace kubecni {

namespace {

const std::string kTable = kPolicyTable;

/// "set known4" of "set known4 { type ipv4_addr; }".
std::string object_in(const std::string& declaration) {
  return declaration.substr(0, declaration.find(" {"));
}

std::set<std::string> objects_of(const PolicyTablePlan& plan) {
  std::set<std::string> objects;
  for (const auto& [name, declaration] : plan.sets) objects.insert(object_in(declaration));
  for (const auto& [name, body] : plan.chains) objects.insert("chain " + name);
  return objects;
}

constexpr std::chrono::minutes kTryRefusedAfter{1};
constexpr const char* kRefusedBody =
    "\t\tcounter drop comment \"the kernel refuses its policies\"\n";

/// Whether the chain decides for some pods. Its name says what it has.
bool is_of_policies(const std::string& chain) {
  return chain.starts_with("in_") || chain.starts_with("eg_");
}

/// Whether the kernel may accept the same a moment later.
bool is_passing(const Error& error) {
  return error.code == ENOBUFS || error.code == ENOMEM || error.code == EINTR ||
         error.code == EAGAIN || error.code == EBUSY;
}

/// Whether the plan has chains with a hook that `known` lacks.
bool adds_hooks(const PolicyTablePlan& plan, const PolicyTablePlan& known) {
  return std::ranges::any_of(policy_base_chains(), [&](const auto& base) {
    return plan.chains.contains(base.first) && !known.chains.contains(base.first);
  });
}

/// Each is a line.
std::size_t rules_of(const PolicyTablePlan& plan) {
  std::size_t rules = 0;
  for (const auto& [name, body] : plan.chains)
    rules += static_cast<std::size_t>(std::ranges::count(body, '\n')) -
             (policy_base_chains().contains(name) ? 1 : 0);
  return rules;
}

std::string name_in(const std::string& object) { return object.substr(object.find(' ') + 1); }

/// Of all sets among `objects`.
Result<AddressElements> read_elements(const std::set<std::string>& objects) {
  AddressElements elements;
  for (const std::string& object : objects) {
    if (!object.starts_with("set ") && !object.starts_with("map ")) continue;
    const std::string name = name_in(object);
    auto read = list_address_elements(kPolicyTableName, name, key_parts(name));
    if (!read) return fail(read);
    elements.emplace(name, std::move(*read));
  }
  return elements;
}

}  // namespace

std::string plan_additions(const PolicyTablePlan& known, const PolicyTablePlan& wanted) {
  std::string sets, chains, flushes, bodies;
  for (const auto& [name, declaration] : wanted.sets)
    if (!known.sets.contains(name)) sets += "\t" + declaration + "\n";
  for (const auto& [name, body] : wanted.chains) {
    const auto old = known.chains.find(name);
    if (old != known.chains.end() && old->second == body) continue;
    // A chain that exists is kept by `add`, and has to be emptied.
    const auto base = policy_base_chains().find(name);
    chains += "add chain " + kTable + " " + name +
              // A base chain cannot be declared before it has its hook.
              (base == policy_base_chains().end() ? "" : " { " + base->second + " }") + "\n";
    flushes += "flush chain " + kTable + " " + name + "\n";
    bodies += "\tchain " + name + " {\n" + body + "\t}\n";
  }
  if (sets.empty() && bodies.empty()) return "";
  const std::string begin = "table " + kTable + " {\n";
  const std::string comment = "\tcomment \"of kube-cnid, which undoes changes by others\"\n";
  return begin + comment + sets + "}\n" + chains + flushes + begin + bodies + "}\n";
}

std::string plan_removals(const std::set<std::string>& objects, const PolicyTablePlan& wanted) {
  const auto kept = objects_of(wanted);
  std::string rules, chains, sets;
  for (const std::string& object : objects) {
    if (kept.contains(object)) continue;
    const std::string kind = object.substr(0, object.find(' '));
    const std::string name = kTable + " " + name_in(object) + "\n";
    if (kind == "chain") {
      rules += "flush chain " + name;  // they may lead to any of the others
      chains += "delete chain " + name;
    }
    if (kind == "set" || kind == "map" || kind == "limit") sets += "delete " + kind + " " + name;
  }
  return rules + chains + sets;
}

bool lacks_elements(const AddressElements& now, const AddressElements& left,
                    const AddressElements& wanted) {
  static const std::set<AddressElement> kNone;
  const auto in = [](const AddressElements& all, const std::string& set) -> const auto& {
    const auto found = all.find(set);
    return found == all.end() ? kNone : found->second;
  };
  return std::ranges::any_of(left, [&](const auto& entry) {
    const auto& [set, elements] = entry;
    return std::ranges::any_of(elements, [&](const AddressElement& element) {
      return in(wanted, set).contains(element) && !in(now, set).contains(element);
    });
  });
}

Result<PolicyTable> PolicyTable::open() {
  auto nftables = Nftables::open();
  if (!nftables) return fail(nftables);
  auto netlink = NetlinkSocket::open(NetlinkPeer::kNetfilter);
  if (!netlink) return fail(netlink, "nftables");
  return PolicyTable(std::move(*nftables), std::move(*netlink));
}

/// Makes known_ and structure_ what the table has, if any table has changed since the last time.
/// Result: whether somebody else changed ours.
Result<bool> PolicyTable::look(const PolicyTablePlan& wanted) {
  auto generation = nftables_.generation();
  if (!generation) return fail(generation);
  if (is_known_ && *generation == generation_) return false;
  const bool was_known = is_known_;
  auto structure = read_nft_structure(netlink_, kPolicyTableName);
  if (!structure) return fail(structure);
  if (!is_known_ || *structure != structure_) {
    // Whatever its chains have, they are filled anew.
    is_known_ = false;
    known_ = std::make_shared<const PolicyTablePlan>();
    structure_ = std::move(*structure);
  }
  auto elements = read_elements(structure_.objects);
  if (!elements) return fail(elements);
  generation_ = *generation;
  if (*elements == known_->elements) return was_known && !is_known_;
  const auto before = std::exchange(
      known_, std::make_shared<const PolicyTablePlan>(known_->sets, known_->chains, *elements));
  return was_known && (!is_known_ || lacks_elements(*elements, before->elements, wanted.elements));
}

Result<> PolicyTable::run(const std::string& commands) {
  auto done = nftables_.run(commands);
  if (done) ++generation_;
  return done;
}

Result<> PolicyTable::add(const PolicyTablePlan& wanted) {
  const auto additions = plan_additions(*known_, wanted);
  if (additions.empty()) return {};
  auto added = run(additions);
  if (added || is_passing(added.error()) || adds_hooks(wanted, {})) return added;
  // Something of another type has one of the names.
  auto made =
      run("add table " + kTable + "\ndelete table " + kTable + "\n" + plan_additions({}, wanted));
  if (!made) return added;
  known_ = std::make_shared<const PolicyTablePlan>();
  structure_ = {};
  return {};
}

/// Which of the policies' chains the kernel refuses. By halves, since mostly one is to blame.
void PolicyTable::find_refused(const PolicyTablePlan& wanted, std::span<const std::string> chains,
                               std::map<std::string, std::string>& refused) {
  PolicyTablePlan some{.sets = wanted.sets, .chains = {}, .elements = {}};
  for (const std::string& name : chains) some.chains[name] = wanted.chains.at(name);
  const auto added = run(plan_additions({}, some));
  if (added || is_passing(added.error())) return;
  if (chains.size() == 1) {
    refused[chains.front()] = added.error().what;
    return;
  }
  find_refused(wanted, chains.first(chains.size() / 2), refused);
  find_refused(wanted, chains.subspan(chains.size() / 2), refused);
}

/// Closes the pods of the refused chains, so that all others have what is wanted. A chain that is
/// there as it is wanted is not among them.
Result<> PolicyTable::add_without_refused(PolicyTablePlan& wanted, const Error& error) {
  std::vector<std::string> chains;
  chains.reserve(wanted.chains.size());
  for (const auto& [name, body] : wanted.chains)
    if (const auto old = known_->chains.find(name);
        is_of_policies(name) && (old == known_->chains.end() || old->second != body))
      chains.push_back(name);
  std::map<std::string, std::string> refused;
  if (!chains.empty()) find_refused(wanted, chains, refused);
  if (refused.empty()) return std::unexpected(error);
  for (const auto& [name, reason] : refused) wanted.chains[name] = kRefusedBody;
  if (auto added = add(wanted); !added) return std::unexpected(error);
  refused_.merge(refused);
  try_refused_at_ = std::chrono::steady_clock::now() + kTryRefusedAfter;
  return {};
}

/// Makes what the plan has. Result: what was written.
Result<std::shared_ptr<const PolicyTablePlan>> PolicyTable::fill(
    std::shared_ptr<const PolicyTablePlan> wanted) {
  if (auto added = add(*wanted); !added) {
    PolicyTablePlan others = *wanted;
    if (auto done = add_without_refused(others, added.error()); !done) return fail(done);
    wanted = std::make_shared<const PolicyTablePlan>(std::move(others));
  }
  auto changed = change_address_elements(kPolicyTableName, known_->elements, wanted->elements);
  if (!changed) return fail(changed);
  if (*changed) ++generation_;
  return wanted;
}

/// Fills the table before it adds the hooks: without its elements, it would let pass what it does
/// not know to be denied. The hooks one by one, since a kernel may lack what one needs.
Result<std::shared_ptr<const PolicyTablePlan>> PolicyTable::fill_and_add_hooks(
    const PolicyTablePlan& wanted) {
  PolicyTablePlan part = wanted;
  for (const auto& [name, hook] : policy_base_chains()) part.chains.erase(name);
  auto filled = fill(std::make_shared<const PolicyTablePlan>(std::move(part)));
  for (const auto& [name, hook] : policy_base_chains()) {
    if (!filled) return filled;
    known_ = std::move(*filled);
    part = *known_;
    if (const auto chain = wanted.chains.find(name); chain != wanted.chains.end())
      part.chains.insert(*chain);
    const auto next = std::make_shared<const PolicyTablePlan>(std::move(part));
    filled = fill(next);
    if (filled || is_passing(filled.error())) continue;
    if (replace_hook(name, *next)) {
      filled = next;
    } else if (name == kOutputHook) {  // the other hook is worth more
      refused_[name] = filled.error().what;
      try_refused_at_ = std::chrono::steady_clock::now() + kTryRefusedAfter;
      filled = known_;
    }
  }
  return filled;
}

/// Where a chain of somebody has the name of ours, and another hook. All or nothing: if the kernel
/// refuses ours for another reason, what is there stays.
bool PolicyTable::replace_hook(const std::string& name, const PolicyTablePlan& wanted) {
  if (!structure_.objects.contains("chain " + name)) return false;
  const std::string chain = " chain " + kTable + " " + name + "\n";
  return run("flush" + chain + "delete" + chain + plan_additions(*known_, wanted)).has_value();
}

/// Result: what was written.
Result<std::shared_ptr<const PolicyTablePlan>> PolicyTable::write(
    std::shared_ptr<const PolicyTablePlan> wanted, const std::function<void()>& in_force) {
  const auto before = known_;
  auto written = adds_hooks(*wanted, *known_) ? fill_and_add_hooks(*wanted) : fill(wanted);
  if (!written) return fail(written);
  if (*before != **written) in_force();
  if (const auto removals = plan_removals(structure_.objects, **written); !removals.empty())
    if (auto removed = run(removals); !removed) return fail(removed);
  return written;
}

/// The plan with the chains that the kernel refuses closed, and without its hook.
std::shared_ptr<const PolicyTablePlan> PolicyTable::without_refused(
    std::shared_ptr<const PolicyTablePlan> planned) const {
  if (refused_.empty()) return planned;
  PolicyTablePlan wanted = *planned;
  for (const auto& [name, reason] : refused_) {
    if (name == kOutputHook)
      wanted.chains.erase(name);
    else
      wanted.chains[name] = kRefusedBody;
  }
  return std::make_shared<const PolicyTablePlan>(std::move(wanted));
}

Result<std::string> PolicyTable::sync(std::shared_ptr<const PolicyTablePlan> planned,
                                      const std::function<void()>& in_force) {
  auto was_changed = look(*planned);
  if (!was_changed) {
    is_known_ = false;
    return fail(was_changed, "nftables table " + kTable);
  }
  if (std::chrono::steady_clock::now() >= try_refused_at_) refused_.clear();
  std::erase_if(refused_,
                [&](const auto& entry) { return !planned->chains.contains(entry.first); });
  auto wanted = without_refused(std::move(planned));
  if (is_known_ && (known_ == wanted || *known_ == *wanted)) {
    known_ = std::move(wanted);
    return "";
  }
  is_known_ = false;  // until it is known how the table looks
  const auto before = known_;
  auto written = write(std::move(wanted), in_force);
  if (!written) return fail(written, "nftables table " + kTable);
  auto structure = read_nft_structure(netlink_, kPolicyTableName);
  if (!structure) return fail(structure);
  const bool has_changed = *before != **written;
  known_ = std::move(*written);
  structure_ = std::move(*structure);
  // What somebody changed meanwhile is not ours. The elements are compared when the generation is
  // not as expected.
  is_known_ = structure_.exists() && structure_.rules == rules_of(*known_);
  if (!has_changed) return "";
  return "nftables table " + kTable +
         (*was_changed ? " put right: somebody changed it" : " changed");
}

bool PolicyTable::is_as_left() {
  const auto generation = nftables_.generation();
  return is_known_ && generation && *generation == generation_;
}

Result<NftStructure> PolicyTable::read() {
  auto generation = nftables_.generation();
  if (!generation) return fail(generation);
  if (*generation == 0) return NftStructure();  // the kernel has no nftables
  return read_nft_structure(netlink_, kPolicyTableName);
}

Result<bool> PolicyTable::exists() {
  auto structure = read();
  if (!structure) return fail(structure);
  return structure->exists();
}

Result<std::optional<PolicyTable::Before>> PolicyTable::read_before() {
  auto structure = read();
  if (!structure) return fail(structure);
  if (!structure->objects.contains("chain passed")) return std::nullopt;  // it came with the mark
  Before before;
  for (const auto& [set, addresses] : {std::pair{"known4", &before.known},
                                       {"known6", &before.known},
                                       {"self4", &before.isolated},
                                       {"self6", &before.isolated}}) {
    auto elements = list_address_elements(kPolicyTableName, set, key_parts(set));
    if (!elements) return fail(elements);
    for (const AddressElement& element : *elements) addresses->insert(element.key.front());
  }
  return before;
}

Result<bool> PolicyTable::remove() {
  is_known_ = false;
  auto generation = nftables_.generation();
  if (!generation) return fail(generation);
  if (*generation == 0) return false;  // the kernel has no nftables
  auto removed = nftables_.run("delete table " + kTable);
  if (!removed && removed.error().code == ENOENT) return false;
  if (!removed) return fail(removed, "remove nftables table " + kTable);
  return true;
}

}  // namespace kubecni
