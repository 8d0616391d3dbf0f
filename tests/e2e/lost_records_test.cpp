// The records of living pods come back, and those of removed pods do not.

#include "control/pods/lost_records.hpp"

#include "control/pods/pod_bridges.hpp"
#include "expect.hpp"
#include "ipam/lease_store.hpp"
#include "net/bridge.hpp"
#include "pods/liveness.hpp"
#include "support/eventually.hpp"

#include <filesystem>

namespace kubecni::test {
namespace {

namespace fs = std::filesystem;
using testing::IsEmpty;
using testing::SizeIs;

/// What a round of the daemon begins with.
struct Lists {
  std::vector<Attachment> attachments;
  std::vector<Link> links;
};

class LostRecordsTest : public testing::Test {
 protected:
  [[nodiscard]] Lists list() const {
    Lists lists;
    node.netns.enter([&] {
      auto netlink = must(NetlinkSocket::open());
      lists = {must(AttachmentStore(node.state_dir()).list()).attachments,
               must(list_links(netlink))};
    });
    return lists;
  }
  kubecni::Outcome sync(Lists lists) {
    kubecni::Outcome outcome{.controller = "pods"};
    node.netns.enter([&] {
      auto netlink = must(NetlinkSocket::open());
      lost.sync(netlink, lists.attachments, lists.links, outcome);
    });
    return outcome;
  }
  [[nodiscard]] bool has_lease() const {
    return must(LeaseStore(node.state_dir(), "pods").find(owner)).has_value();
  }
  [[nodiscard]] fs::path record() const { return records / owner.key(); }

  Node node{"node", "10.200.0.0/24", "bridge"};
  Pod pod = node.add_pod("pod");
  const LeaseOwner owner{pod.container_id, "eth0"};
  const fs::path records = node.state_dir() / kAttachmentsFolder / "pods";
  LostRecords lost{node.state_dir()};
};

TEST_F(LostRecordsTest, OfAPodThatWasRemovedSinceTheListsStayAway) {
  const Lists before = list();
  sync(before);
  ASSERT_TRUE(ok(node.cni("DEL", pod)));

  const kubecni::Outcome outcome = sync(before);

  EXPECT_THAT(outcome.changes, IsEmpty());
  EXPECT_FALSE(has_lease());
  EXPECT_FALSE(fs::exists(record()));
}

TEST_F(LostRecordsTest, OfARemovedPodStayAwayWithoutTheFolderOfTheNetwork) {
  const Lists before = list();
  sync(before);
  ASSERT_TRUE(ok(node.cni("DEL", pod)));
  fs::remove_all(records);

  const kubecni::Outcome outcome = sync({{}, before.links});

  EXPECT_THAT(outcome.changes, IsEmpty());
  EXPECT_FALSE(has_lease());
  EXPECT_FALSE(fs::exists(record()));
}

TEST_F(LostRecordsTest, RecordComesBackAfterAMomentInWhichThePodStaysKnown) {
  sync(list());
  fs::remove(record());

  const kubecni::Outcome first = sync(list());

  ASSERT_TRUE(first.again_in);
  EXPECT_LE(*first.again_in, std::chrono::seconds(3));
  EXPECT_THAT(first.changes, IsEmpty());
  EXPECT_THAT(lost.awaited(), SizeIs(1));
  EXPECT_TRUE(eventually([&] { return !sync(list()).changes.empty(); }));
  EXPECT_TRUE(fs::exists(record()));
  EXPECT_THAT(lost.awaited(), IsEmpty());
}

TEST_F(LostRecordsTest, EachHalfOfALeaseComesBack) {
  const fs::path leases = node.state_dir() / kLeasesFolder / "pods";
  sync(list());
  for (const fs::path& half :
       {leases / "by-address" / pod.address.str(), leases / "by-owner" / owner.key()}) {
    ASSERT_TRUE(fs::remove(half));

    EXPECT_THAT(sync(list()).changes, SizeIs(1)) << half;

    EXPECT_TRUE(has_lease()) << half;
    EXPECT_THAT(sync(list()).changes, IsEmpty()) << half;
  }
}

TEST_F(LostRecordsTest, RecordAloneIsSweptOnceItsPodIsGone) {
  fs::remove_all(node.state_dir() / kLeasesFolder / "pods" / "by-owner");
  fs::remove_all(node.state_dir() / kLeasesFolder / "pods" / "by-address");
  const auto sweep = [&] {
    unsigned removed = 0;
    node.netns.enter(
        [&] { removed = must(reclaim_gone({node.state_dir(), node.bpffs()}, "pods")); });
    return removed;
  };
  EXPECT_EQ(sweep(), 0u);
  ASSERT_TRUE(fs::exists(record()));

  pod.netns.remove();

  EXPECT_TRUE(eventually([&] { return sweep() == 1; }));
  EXPECT_FALSE(fs::exists(record()));
}

TEST_F(LostRecordsTest, BridgeOfAnOlderVersionGetsItsAlias) {
  const auto alias = [&] {
    std::string text;
    node.netns.enter([&] {
      auto netlink = must(NetlinkSocket::open());
      text = must(find_link(netlink, "cni0")).value().alias;
    });
    return text;
  };
  const auto sync_bridges = [&] {
    kubecni::Outcome outcome{.controller = "pods"};
    const Lists lists = list();
    node.netns.enter([&] {
      auto netlink = must(NetlinkSocket::open());
      sync_pod_bridges(netlink, AttachmentStore(node.state_dir()), lists.attachments, "cni0",
                       lists.links, outcome);
    });
    return outcome.changes;
  };
  node.must_run({"ip", "link", "set", "cni0", "alias", ""});
  ASSERT_EQ(alias(), "");

  EXPECT_THAT(sync_bridges(), SizeIs(1));

  EXPECT_EQ(alias(), kBridgeAlias);
  node.must_run({"ip", "link", "set", "cni0", "alias", "mine"});
  EXPECT_THAT(sync_bridges(), IsEmpty());
  EXPECT_EQ(alias(), "mine");
}

}  // namespace
}  // namespace kubecni::test
