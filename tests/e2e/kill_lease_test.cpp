// A pod with several addresses: if allocating or releasing is killed at any step, the owner's next
// release removes what is left, and no address is given out twice.

#include "base/file.hpp"
#include "expect.hpp"
#include "ipam/lease_store.hpp"
#include "support/kill_after.hpp"
#include "support/temp_dir.hpp"

#include <set>
#include <string>

namespace kubecni::test {
namespace {

constexpr unsigned kMostLeaseSteps = 100;

class KilledLease : public testing::Test {
 protected:
  /// False: it finished before.
  bool kill_in(const std::string& verb, const LeaseOwner& owner, unsigned step) {
    const auto outcome =
        run({.argv = {KUBECNI_KILL_AFTER, std::to_string(step), KUBECNI_LEASE, verb, dir.path(),
                      owner.container_id, "10.200.0.0/28", "10.201.0.0/28", "fd00::/64"}});
    EXPECT_TRUE(outcome.status == 0 || outcome.status == kEndedBefore) << outcome.err;
    if (outcome.status != 0) return false;
    calls.insert(outcome.err.substr(0, outcome.err.find('\n')));
    return true;
  }

  Lease allocate(const LeaseOwner& owner) { return must(store.allocate(sets, owner, {})); }

  /// All names of records, also of half-written ones.
  [[nodiscard]] std::vector<std::string> records() const {
    std::vector<std::string> all;
    for (const char* folder : {"by-owner", "by-address"})
      for (const auto& name : must(list_directory(dir / "ipam/pods" / folder))) all.push_back(name);
    return all;
  }

  void expect_no_address_of(const Lease& lease, const Lease& other) {
    for (const IpAddr& address : other.addresses)
      EXPECT_THAT(lease.addresses, testing::Not(testing::Contains(address)));
  }

  const std::vector<PoolSet> sets =
      must(pool_sets_of({{Range{.subnet = *IpNet::parse("10.200.0.0/28")}},
                         {Range{.subnet = *IpNet::parse("10.201.0.0/28")}},
                         {Range{.subnet = *IpNet::parse("fd00::/64")}}}));
  TempDir dir;
  LeaseStore store{dir.path(), "pods"};
  const LeaseOwner victim{"victim", "eth0"};
  const LeaseOwner later{"later", "eth0"};
  Lease bystander = allocate({"bystander", "eth0"});
  std::set<std::string> calls;
};

TEST_F(KilledLease, AllocatedAtEveryStepIsWholeOrNoneAndReleasedByItsOwner) {
  const auto before = records();

  for (unsigned step = 1; step < kMostLeaseSteps; ++step) {
    const bool killed = kill_in("allocate", victim, step);

    const auto found = must(store.find(victim));
    const Lease next = allocate(later);
    expect_no_address_of(next, bystander);
    if (found) {
      EXPECT_THAT(found->addresses, testing::SizeIs(3));
      expect_no_address_of(next, *found);
    }
    EXPECT_TRUE(ok(store.release(victim)));
    EXPECT_TRUE(must(store.find(later)).has_value());
    EXPECT_TRUE(ok(store.release(later)));
    ASSERT_EQ(records(), before) << "after step " << step;
    if (!killed) break;
  }

  EXPECT_THAT(calls, testing::IsSupersetOf({"openat", "write", "rename", "link"}));
}

TEST_F(KilledLease, ReleasedAtEveryStepIsFinishedByTheNextRelease) {
  const auto before = records();

  for (unsigned step = 1; step < kMostLeaseSteps; ++step) {
    allocate(victim);
    const bool killed = kill_in("release", victim, step);

    const Lease next = allocate(later);
    expect_no_address_of(next, bystander);
    EXPECT_TRUE(ok(store.release(victim)));
    EXPECT_EQ(must(store.find(later)).value().addresses, next.addresses);
    EXPECT_TRUE(ok(store.release(later)));
    ASSERT_EQ(records(), before) << "after step " << step;
    if (!killed) break;
  }

  EXPECT_THAT(calls, testing::IsSupersetOf({"openat", "unlink"}));
}

}  // namespace
}  // namespace kubecni::test
