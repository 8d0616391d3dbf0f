#include "ipam/host_local.hpp"

#include "base/file.hpp"
#include "ipam/lease_store.hpp"
#include "support/ip.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <thread>

namespace kubecni::test {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using testing::IsEmpty;

class HostLocalTest : public testing::Test {
 protected:
  void add_lease(const std::string& address, const std::string& content) const {
    ASSERT_TRUE(ensure_directory(dir_ / "net"));
    ASSERT_TRUE(write_file_atomically(dir_ / "net" / address, content));
  }
  [[nodiscard]] HostLocalLeases leases() const { return {dir_.path(), "net"}; }
  [[nodiscard]] std::vector<std::string> files() const {
    auto names = list_directory(dir_ / "net").value();
    std::erase(names, "lock");
    return names;
  }

  TempDir dir_;
};

TEST_F(HostLocalTest, HoldTheAddressesOfTheirFiles) {
  add_lease("10.9.0.3", "abc\r\neth0");
  add_lease("fd00::3", "abc\r\neth0");
  add_lease("last_reserved_ip.0", "10.9.0.7");

  EXPECT_TRUE(leases().holds(addr("10.9.0.3")));
  EXPECT_TRUE(leases().holds(addr("fd00::3")));
  EXPECT_FALSE(leases().holds(addr("10.9.0.7")));
  EXPECT_THAT(leases().addresses().value(), ElementsAre(addr("10.9.0.3"), addr("fd00::3")));
}

TEST_F(HostLocalTest, HoldNothingFromBeforeThisBoot) {
  add_lease("10.9.0.3", "abc\r\neth0");
  const auto path = dir_ / "net/10.9.0.3";
  std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) - hours(24 * 3650));

  EXPECT_FALSE(leases().holds(addr("10.9.0.3")));
  EXPECT_THAT(leases().addresses().value(), IsEmpty());
}

TEST_F(HostLocalTest, AreFreedForTheirContainerAndInterfaceAlone) {
  add_lease("10.9.0.3", "abc\r\neth0");
  add_lease("10.9.0.4", "abc\r\nnet1");
  add_lease("10.9.0.5", "abcd\r\neth0");

  EXPECT_THAT(leases().release({"abc", "eth0"}).value(), ElementsAre(addr("10.9.0.3")));
  EXPECT_THAT(files(), ElementsAre("10.9.0.4", "10.9.0.5"));
}

TEST_F(HostLocalTest, OfOlderVersionsNameTheContainerOnly) {
  add_lease("10.9.0.3", "abc");

  EXPECT_THAT(leases().release({"abc", "eth0"}).value(), ElementsAre(addr("10.9.0.3")));
}

TEST_F(HostLocalTest, AreFreedByGcWhenTheRuntimeDoesNotKnowThem) {
  add_lease("10.9.0.3", "abc\r\neth0");
  add_lease("10.9.0.4", "gone\r\neth0");
  add_lease("10.9.0.5", "old");
  add_lease("10.9.0.6", "");

  EXPECT_TRUE(leases().release_all_but({{"abc", "eth0"}, {"old", "eth0"}}));

  EXPECT_THAT(files(), ElementsAre("10.9.0.3", "10.9.0.5"));
}

TEST_F(HostLocalTest, AreNothingWhereThereIsNoFolder) {
  for (const auto& none : {leases(), HostLocalLeases(), HostLocalLeases("", "net")}) {
    EXPECT_FALSE(none.holds(addr("10.9.0.3")));
    EXPECT_FALSE(none.lock().value());
    EXPECT_THAT(none.release({"abc", "eth0"}).value(), IsEmpty());
    EXPECT_THAT(none.release_all_but({}).value(), IsEmpty());
  }
  EXPECT_FALSE(std::filesystem::exists(dir_ / "net"));
}

TEST_F(HostLocalTest, AreNotGivenOutByOurStoreUntilTheyAreFreed) {
  add_lease("10.9.0.2", "abc\r\neth0");
  const auto pools = pool_sets_of({{Range{.subnet = IpNet::parse("10.9.0.0/29").value()}}}).value();
  LeaseStore store(dir_ / "state", "net", leases());

  for (int i = 0; i < 4; ++i) {
    const auto lease = store.allocate(pools, {"c" + std::to_string(i), "eth0"}, {});
    ASSERT_TRUE(lease) << lease.error().what;
    EXPECT_NE(lease->addresses.front(), addr("10.9.0.2"));
  }
  EXPECT_EQ(store.used(pools).value().at(0).used, 5u);
  EXPECT_EQ(store.allocate(pools, {"c5", "eth0"}, {}).error().code, EADDRNOTAVAIL);
  EXPECT_EQ(store.allocate(pools, {"c5", "eth0"}, {}, {addr("10.9.0.2")}).error().code, EADDRINUSE);

  ASSERT_TRUE(leases().release({"abc", "eth0"}));
  EXPECT_EQ(store.used(pools).value().at(0).used, 4u);
  EXPECT_EQ(store.allocate(pools, {"c5", "eth0"}, {}).value().addresses.front(), addr("10.9.0.2"));
}

TEST_F(HostLocalTest, AreLockedAgainstAHostLocalThatStillRuns) {
  add_lease("10.9.0.2", "abc\r\neth0");
  auto held = FileLock::acquire(dir_ / "net/lock", std::chrono::seconds(1));
  ASSERT_TRUE(held);
  const auto pools = pool_sets_of({{Range{.subnet = IpNet::parse("10.9.0.0/29").value()}}}).value();
  LeaseStore store(dir_ / "state", "net", leases());
  Result<Lease> lease = failure(0, "not tried");
  std::thread waiting([&] { lease = store.allocate(pools, {"c", "eth0"}, {}); });

  // What the other process does before it releases the lock.
  add_lease("10.9.0.3", "new\r\neth0");
  {
    const auto released = std::move(*held);
  }
  waiting.join();

  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->addresses.front(), addr("10.9.0.4"));
}

}  // namespace
}  // namespace kubecni::test
