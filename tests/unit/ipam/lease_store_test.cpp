#include "ipam/lease_store.hpp"

#include "base/boot_id.hpp"
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

using PoolSets = std::vector<PoolSet>;

/// A set of one pool for each subnet.
PoolSets pools_of(const std::vector<std::string>& subnets) {
  PoolSets sets;
  for (const auto& subnet : subnets)
    sets.push_back({Pool::of(IpNet::parse(subnet).value()).value()});
  return sets;
}
std::vector<std::string> texts(const std::vector<IpAddr>& addresses) {
  std::vector<std::string> all;
  for (const auto& address : addresses) all.push_back(address.str());
  return all;
}
LeaseOwner owner(int number) { return {"container-" + std::to_string(number), "eth0"}; }

Result<bool> lives() { return true; }

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
    return store_.allocate(pools_, to, {"/run/netns/x", 4, 1234});
  }
  std::string allocated(const LeaseOwner& to) {
    const auto lease = allocate(to);
    return lease ? lease->addresses.at(0).str() : lease.error().what;
  }
  [[nodiscard]] std::uint64_t used() const { return store_.used(pools_).value().at(0).used; }
  [[nodiscard]] std::filesystem::path file(const std::string& name) const {
    return dir_ / "ipam" / "net" / name;
  }
  /// The leftovers of a process that is killed between the two names of a record.
  void lose_address_name(const std::string& address) const {
    ASSERT_TRUE(std::filesystem::remove(file("by-address/" + address)));
  }
  /// Makes the next allocation start at the first address.
  void rewind() const { ASSERT_TRUE(std::filesystem::remove(file("pools/10.200.0.2-10.200.0.6"))); }

  TempDir dir_;
  PoolSets pools_ = pools_of({"10.200.0.0/29"});  // 10.200.0.2 to 10.200.0.6
  LeaseStore store_{dir_.path(), "net"};
};

TEST_F(LeaseStoreTest, DoesNotGiveAnAddressThatAPodHasWithoutARecord) {
  const IpAddr living = IpAddr::parse("10.200.0.2").value();
  store_.ask_before_giving([&](const IpAddr& address) { return address == living; });

  EXPECT_EQ(allocated(owner(1)), "10.200.0.3");
  const auto asked_for = store_.allocate(pools_, owner(2), {"/run/netns/x", 4, 1234}, {living});
  ASSERT_FALSE(asked_for);
  EXPECT_EQ(asked_for.error().code, EADDRINUSE);
}

TEST_F(LeaseStoreTest, RestoresALeaseThatWasRemoved) {
  const auto lease = allocate(owner(1));
  ASSERT_TRUE(lease);
  std::filesystem::remove_all(file(""));

  const auto restored = store_.restore(*lease, lives);

  ASSERT_TRUE(restored) << restored.error().what;
  EXPECT_TRUE(*restored);
  EXPECT_TRUE(store_.find(owner(1)).value());
  EXPECT_FALSE(store_.restore(*lease, lives).value());
  EXPECT_EQ(allocated(owner(2)), "10.200.0.3");
}

TEST_F(LeaseStoreTest, DoesNotRestoreALeaseWhoseAddressAnotherHas) {
  const auto lease = allocate(owner(1));
  ASSERT_TRUE(lease);
  std::filesystem::remove_all(file(""));
  ASSERT_EQ(allocated(owner(2)), "10.200.0.2");

  const auto restored = store_.restore(*lease, lives);

  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error().code, EADDRINUSE);
  EXPECT_FALSE(store_.find(owner(1)).value());
}

TEST_F(LeaseStoreTest, DoesNotRestoreTheLeaseOfAPodThatIsGone) {
  const auto lease = allocate(owner(1));
  ASSERT_TRUE(lease && store_.release(owner(1)));

  EXPECT_FALSE(store_.restore(*lease, [] { return Result<bool>(false); }).value());

  EXPECT_THAT(store_.owners().value(), IsEmpty());
}

TEST_F(LeaseStoreTest, RestoresEachHalfOfALease) {
  const auto lease = allocate(owner(1));
  ASSERT_TRUE(lease);
  for (const std::string half : {"by-address/10.200.0.2", "by-owner/container-1:eth0"}) {
    ASSERT_TRUE(std::filesystem::remove(file(half)));
    ASSERT_FALSE(store_.find(owner(1)).value());

    EXPECT_TRUE(store_.restore(*lease, lives).value()) << half;

    EXPECT_TRUE(store_.find(owner(1)).value()) << half;
    EXPECT_EQ(used(), 1u) << half;
  }
  EXPECT_EQ(allocated(owner(2)), "10.200.0.3");
}

TEST_F(LeaseStoreTest, DoesNotRestoreALeaseBesideANewerOneOfTheSameOwner) {
  const auto former = allocate(owner(1));
  ASSERT_TRUE(former && store_.release(owner(1)));
  const auto lease = allocate(owner(1));
  ASSERT_TRUE(lease);

  EXPECT_FALSE(store_.restore(*former, lives).value());

  EXPECT_EQ(store_.find(owner(1)).value()->addresses, lease->addresses);
}

TEST_F(LeaseStoreTest, GivesTheFirstAddressFirst) { EXPECT_EQ(allocated(owner(1)), "10.200.0.2"); }

TEST_F(LeaseStoreTest, RecordsWhoHoldsTheAddress) {
  const auto lease = store_.allocate(pools_, {"abc", "net1"}, {"/run/netns/pod", 4, 4026531840});

  const auto found = store_.find({"abc", "net1"});

  ASSERT_TRUE(lease && found && *found);
  EXPECT_EQ((*found)->addresses, lease->addresses);
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

  const auto lease = other.allocate(pools_, owner(1), {});

  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->addresses.at(0).str(), "10.200.0.2");
  EXPECT_EQ(other.used(pools_).value().at(0).used, 1u);
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
  EXPECT_EQ(sixth.error().code, EADDRNOTAVAIL);
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
  ASSERT_TRUE(store_.allocate(pools_of({"192.0.2.0/24"}), owner(2), {}));

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

// Processes that were killed at the worst moment.

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
  EXPECT_EQ(store_.find(owner(2)).value().value().addresses.at(0).str(), "10.200.0.2");
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
    return store_.allocate(pools_, owner(to), {}, {IpAddr::parse(address).value()});
  };

  EXPECT_EQ(request(1, "10.200.0.5").value().addresses.at(0).str(), "10.200.0.5");
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

// The addresses of a pod with several ranges.

class SeveralSets : public LeaseStoreTest {
 protected:
  Result<Lease> allocate(const LeaseOwner& to, const std::vector<std::string>& requested = {}) {
    std::vector<IpAddr> addresses;
    for (const auto& text : requested) addresses.push_back(IpAddr::parse(text).value());
    return store_.allocate(sets_, to, {}, addresses);
  }

  PoolSets sets_ = pools_of({"10.200.0.0/30", "fd00::/64"});  // one pod by IPv4
};

TEST_F(SeveralSets, GiveAnAddressEachUnderOneRecord) {
  const auto lease = allocate(owner(1));

  ASSERT_TRUE(lease);
  EXPECT_THAT(texts(lease->addresses), testing::ElementsAre("10.200.0.2", "fd00::2"));
  EXPECT_EQ(store_.find(owner(1)).value().value().addresses, lease->addresses);
  EXPECT_EQ(std::filesystem::hard_link_count(file("by-owner/container-1:eth0")), 3u);
}

TEST_F(SeveralSets, GiveNothingWhenOneOfThemIsFull) {
  ASSERT_TRUE(allocate(owner(1)));

  const auto second = allocate(owner(2));

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EADDRNOTAVAIL);
  EXPECT_THAT(second.error().what, HasSubstr("10.200.0.0/30: 1 of 1"));
  EXPECT_THAT(list_directory(file("by-address")).value(),
              testing::ElementsAre("10.200.0.2", "fd00::2"));
}

TEST_F(SeveralSets, AreAllFreedByOneRelease) {
  ASSERT_TRUE(allocate(owner(1)));

  ASSERT_TRUE(store_.release(owner(1)));

  EXPECT_THAT(list_directory(file("by-owner")).value(), IsEmpty());
  EXPECT_THAT(list_directory(file("by-address")).value(), IsEmpty());
  EXPECT_EQ(texts(allocate(owner(2)).value().addresses).at(1), "fd00::3");
}

TEST_F(SeveralSets, GiveTheRequestedAddressOfEachAndAFreeOneOfTheOthers) {
  const auto lease = allocate(owner(1), {"fd00::ffff:0:0:7"});

  ASSERT_TRUE(lease);
  EXPECT_THAT(texts(lease->addresses), testing::ElementsAre("10.200.0.2", "fd00::ffff:0:0:7"));
}

TEST_F(SeveralSets, RefuseTwoRequestsOfOneSetOrOneOfNone) {
  EXPECT_EQ(allocate(owner(1), {"fd00::5", "fd00::6"}).error().code, EINVAL);
  EXPECT_EQ(allocate(owner(1), {"fd01::5"}).error().code, EINVAL);
  EXPECT_EQ(allocate(owner(1), {"fd00::1"}).error().code, EINVAL);
  EXPECT_THAT(list_directory(file("by-owner")).value(), IsEmpty());
}

TEST_F(SeveralSets, DoNotFindALeaseThatAKilledProcessDidNotFinish) {
  ASSERT_TRUE(allocate(owner(1)));
  lose_address_name("fd00::2");

  EXPECT_EQ(store_.find(owner(1)).value(), std::nullopt);
  ASSERT_TRUE(store_.release(owner(1)));
  EXPECT_THAT(list_directory(file("by-address")).value(), IsEmpty());
}

TEST_F(SeveralSets, SayHowFullEachIs) {
  ASSERT_TRUE(allocate(owner(1)));

  const auto uses = store_.used(sets_).value();

  ASSERT_EQ(uses.size(), 2u);
  EXPECT_EQ(uses[0].used, 1u);
  EXPECT_EQ(uses[0].total, 1u);
  EXPECT_EQ(uses[1].used, 1u);
  EXPECT_EQ(uses[1].total, std::uint64_t{1} << 62);
}

TEST_F(SeveralSets, SayHowFullEachPoolIsToWhoDoesNotKnowThem) {
  EXPECT_THAT(store_.pools_in_use().value(), IsEmpty());
  ASSERT_TRUE(allocate(owner(1)));

  const auto uses = store_.pools_in_use().value();

  ASSERT_EQ(uses.size(), 2u);
  EXPECT_EQ(uses[0].first, sets_[0].front());
  EXPECT_EQ(uses[0].second.used, 1u);
  EXPECT_EQ(uses[0].second.total, 1u);
  EXPECT_EQ(uses[1].first, sets_[1].front());
  EXPECT_EQ(uses[1].second.used, 1u);
  EXPECT_EQ(uses[1].second.total, std::uint64_t{1} << 62);
}

TEST_F(LeaseStoreTest, GoesOnToTheNextPoolOfASetWhenOneIsFull) {
  pools_ = {{Pool::of(IpNet::parse("10.200.0.0/30").value()).value(),
             Pool::of(IpNet::parse("10.201.0.0/29").value()).value()}};

  EXPECT_EQ(allocated(owner(1)), "10.200.0.2");
  EXPECT_EQ(allocated(owner(2)), "10.201.0.2");
  EXPECT_EQ(allocated(owner(3)), "10.201.0.3");
  EXPECT_EQ(used(), 3u);
}

TEST_F(LeaseStoreTest, GoesRoundInAPoolTooLargeForAMapOfBits) {
  pools_ = pools_of({"fd00::/64"});
  EXPECT_EQ(allocated(owner(1)), "fd00::2");
  EXPECT_EQ(allocated(owner(2)), "fd00::3");
  ASSERT_TRUE(store_.release(owner(1)));

  EXPECT_EQ(allocated(owner(3)), "fd00::4");
  ASSERT_TRUE(std::filesystem::remove(file("pools/fd00::2-fd00::ffff:ffff:ffff:ffff")));
  EXPECT_EQ(allocated(owner(4)), "fd00::2");
  EXPECT_EQ(allocated(owner(5)), "fd00::5");
}

TEST_F(LeaseStoreTest, KeepsTheLeasesWhenTheRangesChange) {
  const auto with_gateway = [](const std::string& gateway) {
    return PoolSets{{Pool::of(Range{.subnet = IpNet::parse("10.200.0.0/29").value(),
                                    .gateway = IpAddr::parse(gateway)})
                         .value()}};
  };
  ASSERT_EQ(allocated(owner(1)), "10.200.0.2");

  pools_ = with_gateway("10.200.0.3");

  EXPECT_EQ(allocated(owner(2)), "10.200.0.1");
  EXPECT_EQ(allocated(owner(3)), "10.200.0.4");
  ASSERT_TRUE(store_.release(owner(1)));
  EXPECT_EQ(used(), 2u);
}

TEST_F(LeaseStoreTest, CountsRightAfterPoolsTookTurns) {
  const auto small = pools_;
  const auto large = pools_of({"10.200.0.0/24"});
  ASSERT_TRUE(store_.allocate(small, owner(1), {}));
  ASSERT_TRUE(store_.allocate(large, owner(2), {}));
  ASSERT_TRUE(store_.allocate(large, owner(3), {}));
  ASSERT_TRUE(store_.release(owner(1)));

  EXPECT_EQ(store_.used(small).value().at(0).used, 2u);
  EXPECT_EQ(store_.used(large).value().at(0).used, 2u);
}

TEST_F(LeaseStoreTest, ReadsARecordOfBeforeAPodCouldHaveSeveralAddresses) {
  ASSERT_EQ(allocated(owner(1)), "10.200.0.2");
  std::filesystem::resize_file(file("by-owner/container-1:eth0"), 0);
  ASSERT_TRUE(write_setting(file("by-owner/container-1:eth0"),
                            R"({"address": "10.200.0.2", "containerID": "container-1",
                                "ifname": "eth0", "bootID": "x"})"));

  EXPECT_THAT(texts(store_.find(owner(1)).value().value().addresses),
              testing::ElementsAre("10.200.0.2"));
  ASSERT_TRUE(store_.release(owner(1)));
  EXPECT_EQ(used(), 0u);
}

TEST_F(LeaseStoreTest, ReleasesTheAddressOfADamagedRecordThatIsAnotherFileNow) {
  ASSERT_EQ(allocated(owner(1)), "10.200.0.2");
  ASSERT_EQ(allocated(owner(2)), "10.200.0.3");
  ASSERT_TRUE(write_file_atomically(file("by-owner/container-1:eth0"), "garbage"));

  ASSERT_TRUE(store_.release(owner(1)));

  EXPECT_THAT(list_directory(file("by-address")).value(), testing::ElementsAre("10.200.0.3"));
  EXPECT_EQ(used(), 1u);
}

TEST_F(LeaseStoreTest, GivesAContainerOfBeforeTheBootAnAddressAgain) {
  const auto make_old = [&](const std::string& boot_id) {
    const auto path = file("by-owner/container-1:eth0");
    std::string text = read_file(path).value();
    const std::string current = current_boot_id();
    text.replace(text.find(current), current.size(), boot_id);
    ASSERT_TRUE(write_setting(path, text));
  };
  ASSERT_EQ(allocated(owner(1)), "10.200.0.2");
  make_old("00000000-0000-0000-0000-000000000000");

  EXPECT_EQ(allocated(owner(1)), "10.200.0.3");
  EXPECT_EQ(used(), 1u);
  EXPECT_THAT(store_.repairs(), testing::ElementsAre(HasSubstr("10.200.0.2")));
}

class DamagedIndex : public LeaseStoreTest, public testing::WithParamInterface<const char*> {};

TEST_P(DamagedIndex, IsMadeAnewFromTheLeases) {
  ASSERT_EQ(allocated(owner(1)), "10.200.0.2");
  ASSERT_TRUE(write_file_atomically(file("pools/10.200.0.2-10.200.0.6"), GetParam()));

  EXPECT_EQ(allocated(owner(2)), "10.200.0.3");
  EXPECT_THAT(store_.repairs(), testing::ElementsAre(HasSubstr("damaged")));
}

INSTANTIATE_TEST_SUITE_P(Index, DamagedIndex,
                         testing::Values("", "garbage", "kcniidx2",
                                         "kcniidx2 and much that is none of an index, but longer "
                                         "than its header, so that only the subnet tells"));

TEST_F(LeaseStoreTest, LeasesNothingWhereItCannotSayWhereItIs) {
  ASSERT_TRUE(ensure_directory(file("pools/10.200.0.2-10.200.0.6")));

  const auto lease = allocate(owner(1));

  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, EISDIR);
  EXPECT_EQ(used(), 0u);
  EXPECT_THAT(list_directory(file("by-owner")).value(), IsEmpty());
}

TEST_F(LeaseStoreTest, GivesManyThreadsAddressesOfTheirOwn) {
  constexpr std::size_t kThreads = 16;
  constexpr std::size_t kEach = 20;
  const PoolSets large = pools_of({"10.200.0.0/23"});
  std::vector<std::vector<std::string>> got(kThreads);

  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      LeaseStore store(dir_.path(), "net");
      for (std::size_t i = 0; i < kEach; ++i) {
        const auto lease = store.allocate(large, owner(static_cast<int>(t * kEach + i)), {});
        got[t].push_back(lease ? lease->addresses.at(0).str() : lease.error().what);
      }
    });
  for (auto& thread : threads) thread.join();

  std::set<std::string> addresses;
  for (const auto& each : got) addresses.insert(each.begin(), each.end());
  EXPECT_EQ(addresses.size(), kThreads * kEach);
  EXPECT_EQ(store_.used(large).value().at(0).used, kThreads * kEach);
}

TEST_F(LeaseStoreTest, StaysWholeUnderThreadsThatAllocateAndRelease) {
  std::vector<std::thread> threads;
  std::vector<std::string> errors(8);
  for (std::size_t t = 0; t < errors.size(); ++t)
    threads.emplace_back([&, t] {
      const auto self = owner(static_cast<int>(t));
      for (int i = 0; i < 20; ++i) {
        const auto lease = allocate(self);
        if (!lease && lease.error().code != EADDRNOTAVAIL) errors[t] += lease.error().what + "\n";
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

  for (const auto* name : {"by-owner/container-1:eth0", "by-address/10.200.0.2", "lock",
                           "pools/10.200.0.2-10.200.0.6"}) {
    struct stat status{};
    ASSERT_EQ(::stat(file(name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 077u, 0u) << name;
  }
}

}  // namespace
}  // namespace kubecni::test
