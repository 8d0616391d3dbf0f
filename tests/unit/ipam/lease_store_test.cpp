#include "ipam/lease_store.hpp"

#include "base/file.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace kubecni::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

Pool pool_of(const std::string& subnet) { return Pool::of(IpNet::parse(subnet).value()).value(); }
LeaseOwner owner(int number) { return {"container-" + std::to_string(number), "eth0"}; }

/// Leaves the calling thread without root's right to every file.
class AsNobody {
 public:
  AsNobody() { ::setfsuid(65534); }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  ~AsNobody() { ::setfsuid(::geteuid()); }
};

class LeaseStoreTest : public testing::Test {
 protected:
  Result<Lease> allocate(const LeaseOwner& to) {
    return store_.allocate(pool_, to, {"/run/netns/x", 4, 1234});
  }
  std::string allocated(const LeaseOwner& to) {
    const auto lease = allocate(to);
    return lease ? lease->address.str() : lease.error().what;
  }
  [[nodiscard]] std::uint64_t used() const { return store_.used(pool_).value(); }
  [[nodiscard]] std::filesystem::path file(const std::string& name) const {
    return dir_ / "ipam" / "net" / name;
  }
  /// What a process leaves that is killed between the two names of a record.
  void lose_address_name(const std::string& address) const {
    ASSERT_TRUE(std::filesystem::remove(file("by-address/" + address)));
  }
  /// Makes the next allocation start at the first address.
  void rewind() const { ASSERT_TRUE(std::filesystem::remove(file("index"))); }

  TempDir dir_;
  Pool pool_ = pool_of("10.200.0.0/29");  // 10.200.0.2 to 10.200.0.6
  LeaseStore store_{dir_.path(), "net"};
};

TEST_F(LeaseStoreTest, GivesTheFirstAddressFirst) { EXPECT_EQ(allocated(owner(1)), "10.200.0.2"); }

TEST_F(LeaseStoreTest, RecordsWhoHoldsTheAddress) {
  const auto lease = store_.allocate(pool_, {"abc", "net1"}, {"/run/netns/pod", 4, 4026531840});

  const auto found = store_.find({"abc", "net1"});

  ASSERT_TRUE(lease && found && *found);
  EXPECT_EQ((*found)->address, lease->address);
  EXPECT_EQ((*found)->owner, (LeaseOwner{"abc", "net1"}));
  EXPECT_EQ((*found)->netns, (NetnsIdentity{"/run/netns/pod", 4, 4026531840}));
  EXPECT_EQ((*found)->boot_id + "\n", read_file("/proc/sys/kernel/random/boot_id"));
}

TEST_F(LeaseStoreTest, GivesEveryAddressOnce) {
  std::set<std::string> addresses;

  for (int i = 0; i < 5; ++i) addresses.insert(allocated(owner(i)));

  EXPECT_THAT(addresses, testing::ElementsAre("10.200.0.2", "10.200.0.3", "10.200.0.4",
                                              "10.200.0.5", "10.200.0.6"));
  EXPECT_EQ(used(), 5u);
}

TEST_F(LeaseStoreTest, GivesTheInterfacesOfOneContainerAddressesOfTheirOwn) {
  EXPECT_EQ(allocated({"abc", "eth0"}), "10.200.0.2");
  EXPECT_EQ(allocated({"abc", "net1"}), "10.200.0.3");
}

TEST_F(LeaseStoreTest, KeepsNetworksApart) {
  LeaseStore other(dir_.path(), "other");
  ASSERT_EQ(allocated(owner(1)), "10.200.0.2");

  const auto lease = other.allocate(pool_, owner(1), {});

  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->address.str(), "10.200.0.2");
  EXPECT_EQ(other.used(pool_).value(), 1u);
}

TEST_F(LeaseStoreTest, DoesNotGiveAFreedAddressAgainAtOnce) {
  ASSERT_EQ(allocated(owner(1)), "10.200.0.2");
  ASSERT_TRUE(store_.release(owner(1)));

  EXPECT_EQ(allocated(owner(2)), "10.200.0.3");
}

TEST_F(LeaseStoreTest, GoesRoundPastTheLastAddress) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(allocate(owner(i)));
  ASSERT_TRUE(store_.release(owner(1)));  // 10.200.0.3

  EXPECT_EQ(allocated(owner(5)), "10.200.0.3");
}

TEST_F(LeaseStoreTest, RefusesASecondAddressForOneInterface) {
  ASSERT_TRUE(allocate(owner(1)));

  const auto second = allocate(owner(1));

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EEXIST);
  EXPECT_THAT(second.error().what, HasSubstr("container-1"));
  EXPECT_EQ(used(), 1u);
}

TEST_F(LeaseStoreTest, SaysHowManyAreUsedWhenThePoolIsFull) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(allocate(owner(i)));

  const auto sixth = allocate(owner(5));

  ASSERT_FALSE(sixth);
  EXPECT_EQ(sixth.error().code, ENOSPC);
  EXPECT_THAT(sixth.error().what, HasSubstr("10.200.0.0/29: 5 of 5 are in use"));
}

TEST_F(LeaseStoreTest, HasAnAddressAgainAfterOneRelease) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(allocate(owner(i)));
  ASSERT_FALSE(allocate(owner(5)));
  ASSERT_TRUE(store_.release(owner(3)));

  EXPECT_EQ(allocated(owner(5)), "10.200.0.5");
}

TEST_F(LeaseStoreTest, LetsAnOwnerComeBackAfterItsRelease) {
  ASSERT_TRUE(allocate(owner(1)));
  ASSERT_TRUE(store_.release(owner(1)));

  EXPECT_TRUE(allocate(owner(1)));
}

TEST_F(LeaseStoreTest, LeavesNothingOfAReleasedLease) {
  ASSERT_TRUE(allocate(owner(1)));

  ASSERT_TRUE(store_.release(owner(1)));

  EXPECT_EQ(store_.find(owner(1)).value(), std::nullopt);
  EXPECT_THAT(list_directory(file("by-owner")).value(), IsEmpty());
  EXPECT_THAT(list_directory(file("by-address")).value(), IsEmpty());
}

TEST_F(LeaseStoreTest, TakesTheReleaseOfAnAbsentLeaseForDone) {
  const auto before_any = store_.release(owner(1));
  ASSERT_TRUE(allocate(owner(2)));
  const auto of_another = store_.release(owner(1));

  EXPECT_TRUE(before_any);
  EXPECT_TRUE(of_another);
  EXPECT_EQ(used(), 1u);
}

TEST_F(LeaseStoreTest, MakesNoFolderForARelease) {
  ASSERT_TRUE(store_.release(owner(1)));

  EXPECT_THAT(list_directory(dir_.path()).value(), IsEmpty());
}

TEST_F(LeaseStoreTest, FindsNothingBeforeAnythingWasLeased) {
  const auto found = store_.find(owner(1));

  ASSERT_TRUE(found);
  EXPECT_FALSE(*found);
  EXPECT_EQ(used(), 0u);
}

TEST_F(LeaseStoreTest, CountsOnlyTheAddressesOfThePool) {
  ASSERT_TRUE(allocate(owner(1)));
  ASSERT_TRUE(store_.allocate(pool_of("192.0.2.0/24"), owner(2), {}));

  EXPECT_EQ(used(), 1u);
}

class DamagedLease : public LeaseStoreTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    ASSERT_EQ(allocated(owner(1)), "10.200.0.2");
    ASSERT_TRUE(write_setting(file("by-owner/container-1:eth0"), ""));
    std::filesystem::resize_file(file("by-owner/container-1:eth0"), 0);
    ASSERT_TRUE(write_setting(file("by-owner/container-1:eth0"), GetParam()));
  }
};

TEST_P(DamagedLease, IsReportedWithItsPath) {
  const auto found = store_.find(owner(1));

  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, EBADMSG);
  EXPECT_THAT(found.error().what, HasSubstr(file("by-owner/container-1:eth0").string()));
}

TEST_P(DamagedLease, IsReleasedWithItsAddress) {
  const auto released = store_.release(owner(1));

  ASSERT_TRUE(released);
  EXPECT_EQ(used(), 0u);
  EXPECT_EQ(store_.find(owner(1)).value(), std::nullopt);
}

TEST_P(DamagedLease, KeepsItsAddressFromOthers) {
  rewind();

  EXPECT_EQ(allocated(owner(2)), "10.200.0.3");
}

INSTANTIATE_TEST_SUITE_P(
    Damaged, DamagedLease,
    testing::Values("", "{", "[]", "null", "7", "\"10.200.0.2\"", R"({"address": "10.200.0.2"})",
                    R"({"address": "10.200.0", "containerID": "container-1", "ifname": "eth0"})",
                    R"({"address": 7, "containerID": "container-1", "ifname": "eth0"})",
                    R"({"address": "10.200.0.2", "containerID": [], "ifname": "eth0"})"));

// The processes that were killed at the worst moment.

TEST_F(LeaseStoreTest, GivesAnAddressAgainThatAKilledProcessDidNotGetTo) {
  ASSERT_EQ(allocated(owner(1)), "10.200.0.2");
  lose_address_name("10.200.0.2");
  rewind();

  EXPECT_EQ(allocated(owner(2)), "10.200.0.2");
}

TEST_F(LeaseStoreTest, ReleasesWhatAKilledProcessBeganAndNotTheLeaseOfAnother) {
  ASSERT_EQ(allocated(owner(1)), "10.200.0.2");
  lose_address_name("10.200.0.2");
  rewind();
  ASSERT_EQ(allocated(owner(2)), "10.200.0.2");

  ASSERT_TRUE(store_.release(owner(1)));

  EXPECT_THAT(list_directory(file("by-owner")).value(), testing::ElementsAre("container-2:eth0"));
  EXPECT_EQ(used(), 1u);
  EXPECT_EQ(store_.find(owner(2)).value().value().address.str(), "10.200.0.2");
}

TEST_F(LeaseStoreTest, DoesNotFindAnAddressThatAnotherGotSince) {
  ASSERT_EQ(allocated(owner(1)), "10.200.0.2");
  lose_address_name("10.200.0.2");
  rewind();
  ASSERT_EQ(allocated(owner(2)), "10.200.0.2");

  const auto found = store_.find(owner(1));

  ASSERT_TRUE(found);
  EXPECT_FALSE(*found) << "DEL would take the address out of the maps";
}

TEST_F(LeaseStoreTest, IgnoresTheTemporaryFileOfAKilledProcess) {
  ASSERT_TRUE(allocate(owner(1)));
  ASSERT_TRUE(write_file_atomically(file("by-owner/.container-2:eth0.new"), "{"));

  EXPECT_EQ(allocated(owner(2)), "10.200.0.3");
  EXPECT_EQ(used(), 2u);
}

TEST_F(LeaseStoreTest, ListsTheOwnerOfAHalfWrittenRecordWhichReleaseRemoves) {
  ASSERT_TRUE(allocate(owner(1)));
  ASSERT_TRUE(write_file_atomically(file("by-owner/.container-2:eth0.new"), "{"));

  EXPECT_THAT(store_.owners().value(), testing::ElementsAre(owner(1), owner(2)));
  ASSERT_TRUE(store_.release(owner(2)));
  EXPECT_THAT(list_directory(file("by-owner")).value(), testing::ElementsAre("container-1:eth0"));
}

TEST_F(LeaseStoreTest, LeasesARequestedAddressOnce) {
  const auto request = [&](int to, const std::string& address) {
    return store_.allocate(pool_, owner(to), {}, IpAddr::parse(address));
  };

  EXPECT_EQ(request(1, "10.200.0.5").value().address.str(), "10.200.0.5");
  EXPECT_EQ(request(2, "10.200.0.5").error().code, EADDRINUSE);
  EXPECT_EQ(request(2, "10.200.0.1").error().code, EINVAL);
  EXPECT_EQ(request(2, "10.200.1.5").error().code, EINVAL);
  EXPECT_EQ(used(), 1u);
}

TEST_F(LeaseStoreTest, FindsRoomThatSomebodyMadeByHand) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(allocate(owner(i)));
  ASSERT_TRUE(std::filesystem::remove(file("by-address/10.200.0.4")));
  ASSERT_TRUE(std::filesystem::remove(file("by-owner/container-2:eth0")));

  EXPECT_EQ(allocated(owner(7)), "10.200.0.4");
}

class DamagedIndex : public LeaseStoreTest, public testing::WithParamInterface<const char*> {};

TEST_P(DamagedIndex, IsMadeAnewFromTheLeases) {
  ASSERT_EQ(allocated(owner(1)), "10.200.0.2");
  ASSERT_TRUE(write_file_atomically(file("index"), GetParam()));

  EXPECT_EQ(allocated(owner(2)), "10.200.0.3");
}

INSTANTIATE_TEST_SUITE_P(Index, DamagedIndex,
                         testing::Values("", "garbage", "kcniidx1",
                                         "kcniidx1 and much that is none of an index, but longer "
                                         "than its header, so that only the subnet tells"));

TEST_F(LeaseStoreTest, LeasesNothingWhereItCannotSayWhereItIs) {
  ASSERT_TRUE(ensure_directory(file("index")));

  const auto lease = allocate(owner(1));

  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, EISDIR);
  EXPECT_EQ(used(), 0u);
  EXPECT_THAT(list_directory(file("by-owner")).value(), IsEmpty());
}

TEST_F(LeaseStoreTest, GivesManyThreadsAddressesOfTheirOwn) {
  constexpr std::size_t kThreads = 16;
  constexpr std::size_t kEach = 20;
  const Pool large = pool_of("10.200.0.0/23");
  std::vector<std::vector<std::string>> got(kThreads);

  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      LeaseStore store(dir_.path(), "net");
      for (std::size_t i = 0; i < kEach; ++i) {
        const auto lease = store.allocate(large, owner(static_cast<int>(t * kEach + i)), {});
        got[t].push_back(lease ? lease->address.str() : lease.error().what);
      }
    });
  for (auto& thread : threads) thread.join();

  std::set<std::string> addresses;
  for (const auto& each : got) addresses.insert(each.begin(), each.end());
  EXPECT_EQ(addresses.size(), kThreads * kEach);
  EXPECT_EQ(store_.used(large).value(), kThreads * kEach);
}

TEST_F(LeaseStoreTest, StaysWholeUnderThreadsThatAllocateAndRelease) {
  std::vector<std::thread> threads;
  std::vector<std::string> errors(8);
  for (std::size_t t = 0; t < errors.size(); ++t)
    threads.emplace_back([&, t] {
      const auto self = owner(static_cast<int>(t));
      for (int i = 0; i < 20; ++i) {
        const auto lease = allocate(self);
        if (!lease && lease.error().code != ENOSPC) errors[t] += lease.error().what + "\n";
        if (const auto released = store_.release(self); !released)
          errors[t] += released.error().what + "\n";
      }
    });
  for (auto& thread : threads) thread.join();

  EXPECT_THAT(errors, testing::Each(""));
  EXPECT_THAT(list_directory(file("by-owner")).value(), IsEmpty());
  EXPECT_THAT(list_directory(file("by-address")).value(), IsEmpty());
}

TEST_F(LeaseStoreTest, NamesTheFolderThatItMayNotWriteTo) {
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0555), 0);
  Result<Lease> lease = failure(0, "not tried");
  {
    const AsNobody nobody;
    lease = allocate(owner(1));
  }

  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, EACCES);
  EXPECT_THAT(lease.error().what, HasSubstr(file("by-owner").string()));
  EXPECT_THAT(lease.error().what, HasSubstr("Permission denied"));
}

TEST_F(LeaseStoreTest, NamesTheFileThatIsInTheWayOfItsFolder) {
  ASSERT_TRUE(write_file_atomically(dir_ / "ipam", ""));

  const auto lease = allocate(owner(1));

  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, ENOTDIR);
  EXPECT_THAT(lease.error().what, HasSubstr((dir_ / "ipam").string()));
}

TEST_F(LeaseStoreTest, KeepsItsRecordsFromOtherUsers) {
  ASSERT_TRUE(allocate(owner(1)));

  for (const auto* name : {"by-owner/container-1:eth0", "by-address/10.200.0.2", "lock", "index"}) {
    struct stat status{};
    ASSERT_EQ(::stat(file(name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 077u, 0u) << name;
  }
}

}  // namespace
}  // namespace kubecni::test
