#include "net/kept_table.hpp"

#include <cerrno>
#include <functional>
#include <set>

namespace kubecni {

KeptTable::Look KeptTable::Look::at(const std::string& listing) {
  return {.length = listing.size(), .hash = std::hash<std::string>()(listing)};
}

/// The table as it is; asks for it only if anybody changed any since the last time.
Result<KeptTable::Look> KeptTable::look(Nftables& nftables) {
  auto generation = nftables.generation();
  if (!generation) return fail(generation);
  if (is_applied_ && *generation == generation_) return look_;
  generation_ = *generation;
  auto listing = nftables.list_table(name_);
  return listing ? Result<Look>(Look::at(*listing)) : fail(listing);
}

Result<> KeptTable::run(Nftables& nftables, const std::string& commands) {
  auto done = nftables.run(commands);
  if (done) ++generation_;
  return done;
}

/// Changes elements where that is enough, else the whole table.
Result<> KeptTable::write(Nftables& nftables, const Plan& plan, const Look& before) {
  const NftTable wanted = plan.wanted();
  if (is_applied_ && before == look_) {
    const auto elements = plan_elements(plan.as_before(), wanted);
    if (elements && (elements->empty() || run(nftables, *elements))) return {};
  }
  const auto objects = nftables.list_objects(name_).value_or(std::set<std::string>());
  if (run(nftables, plan_replacement(name_, objects, wanted))) return {};
  // What is there cannot be filled anew, like a set of another type.
  return run(nftables, plan_replacement(name_, {}, wanted));
}

std::string KeptTable::describe_change(bool was_changed, const Look& before) const {
  const std::string name = "nftables table " + name_;
  if (look_ == before) return "";
  if (before.length == 0)
    return name + (was_changed ? " made again: somebody deleted it" : " made");
  if (look_.length == 0) return name + " removed";
  return name + (was_changed ? " put right: somebody changed it" : " changed");
}

Result<KeptTable::Outcome> KeptTable::sync(Nftables& nftables, const Plan& plan) {
  auto before = look(nftables);
  if (!before) is_applied_ = false;
  if (!before) return fail(before);
  const bool was_as_applied = is_applied_ && *before == look_;
  if (was_as_applied && plan.is_as_before && !has_more_) return Outcome{"", true};
  const bool was_changed = is_applied_ && *before != look_ && !has_more_;
  auto written = write(nftables, plan, *before);
  is_applied_ = has_more_ = false;  // until it is known how the table looks
  if (!written) return fail(written);
  auto after = nftables.list_table(name_);
  if (!after) return fail(after);
  auto generation = nftables.generation();
  if (!generation) return fail(generation);
  look_ = Look::at(*after);
  // What somebody changed meanwhile would be taken for ours.
  is_applied_ = *generation == generation_;
  return Outcome{describe_change(was_changed, *before), was_as_applied};
}

Result<> KeptTable::add(Nftables& nftables, const AddedToSets& added) {
  auto before = nftables.generation();
  if (!before) return fail(before);
  if (auto done = add_to_sets(name_.substr(name_.find(' ') + 1), added); !done) return fail(done);
  auto after = nftables.generation();
  if (!after) return fail(after);
  if (*after == *before) return {};  // nothing was new
  has_more_ = true;
  // If somebody else has changed a table meanwhile, the next sync() looks at ours.
  if (*before == generation_ && *after == *before + 1) generation_ = *after;
  return {};
}

Result<bool> KeptTable::remove(Nftables& nftables) {
  is_applied_ = false;
  auto removed = nftables.run("delete table " + name_);
  if (!removed && removed.error().code == ENOENT) return false;
  if (!removed) return fail(removed, "remove nftables table " + name_);
  return true;
}

}  // namespace kubecni
