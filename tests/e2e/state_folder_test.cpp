// A state folder that is full, read-only or damaged: a clear error or a repair,
// no address given out twice, and nothing left.

#include "base/file.hpp"
#include "expect.hpp"
#include "support/node_state.hpp"

#include <sys/mount.h>

#include <filesystem>
#include <fstream>

namespace kubecni::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

/// The state folder is a file system of its own.
class StateFolder : public testing::Test {
 protected:
  StateFolder() {
    fs::create_directories(node.state_dir());
    if (::mount("tmpfs", node.state_dir().c_str(), "tmpfs", 0, "size=512k") != 0)
      throw std::runtime_error("cannot mount a file system");
  }
  ~StateFolder() override { ::umount2(node.state_dir().c_str(), MNT_DETACH); }

  void remount(unsigned long flags, const char* options) const {
    ASSERT_EQ(::mount(nullptr, node.state_dir().c_str(), nullptr, MS_REMOUNT | flags, options), 0);
  }
  /// Writes until there is no room for another byte.
  void fill() const {
    std::ofstream filler(filler_path());
    const std::string page(4096, 'x');
    while (filler.write(page.data(), static_cast<std::streamsize>(page.size())).flush()) {
    }
    ASSERT_EQ(fs::space(node.state_dir()).available, 0u);
  }
  void make_room() const { fs::remove(filler_path()); }
  [[nodiscard]] fs::path filler_path() const { return node.state_dir() / "filler"; }
  [[nodiscard]] fs::path leases() const { return node.state_dir() / "ipam/pods"; }
  [[nodiscard]] std::string state(const Pod& pod) const { return state_of(node, {&pod}, false); }

  Node node{"node", "10.200.0.0/24", "ebpf"};
};

TEST_F(StateFolder, FullFromTheStartFailsAddAndLeavesNothing) {
  const Pod pod("pod");
  fill();

  const auto answer = node.cni("ADD", pod);

  EXPECT_TRUE(failed(answer, 101, "No space left on device"));
  EXPECT_THAT(node.must_run({"ip", "-br", "link"}), Not(HasSubstr("veth")));
  make_room();
  EXPECT_TRUE(ok(node.cni("ADD", pod)));
}

TEST_F(StateFolder, FullLaterFailsAddAndLeavesNothing) {
  const Pod first = node.add_pod("first");
  const Pod pod("pod");
  fill();
  const auto before = state(pod);

  EXPECT_TRUE(failed(node.cni("ADD", pod), 101, "No space left on device"));

  EXPECT_EQ(state(pod), before);
}

TEST_F(StateFolder, FullOfFilesFailsAddAndLeavesNothing) {
  const Pod first = node.add_pod("first");
  const Pod pod("pod");
  const auto before = state(pod);
  remount(0, "nr_inodes=20");
  for (int i = 0; i < 20; ++i) std::ofstream(node.state_dir() / ("x" + std::to_string(i)));

  EXPECT_TRUE(failed(node.cni("ADD", pod), 101, "No space left on device"));

  for (int i = 0; i < 20; ++i) fs::remove(node.state_dir() / ("x" + std::to_string(i)));
  EXPECT_EQ(state(pod), before);
}

TEST_F(StateFolder, FullDoesNotKeepDelFromFreeingAll) {
  Pod pod("pod");
  const Pod first = node.add_pod("first");
  const auto before = state(first);
  ASSERT_TRUE(ok(node.cni("ADD", pod)));
  fill();

  EXPECT_TRUE(ok(node.cni("DEL", pod)));

  make_room();
  EXPECT_EQ(state(first), before);
}

TEST_F(StateFolder, ReadOnlyFailsAddAndDelUntilItIsNot) {
  const Pod first = node.add_pod("first");
  const Pod pod("pod");
  remount(MS_RDONLY, "");
  const auto before = state(pod);

  EXPECT_TRUE(failed(node.cni("ADD", pod), 101, "Read-only file system"));
  EXPECT_TRUE(failed(node.cni("DEL", first), 101, "Read-only file system"));
  EXPECT_EQ(state(pod), before);

  remount(0, "");
  EXPECT_TRUE(ok(node.cni("DEL", first)));
  EXPECT_TRUE(ok(node.cni("ADD", pod)));
}

TEST_F(StateFolder, WithAFolderWhereAFileShouldBeSaysWhich) {
  const Pod first = node.add_pod("first");
  const Pod pod("pod");
  for (const char* name : {"lock", "by-owner/.pod:eth0.new"}) {
    const bool was_there = fs::remove(leases() / name);
    fs::create_directory(leases() / name);
    const auto before = state(pod);

    EXPECT_TRUE(failed(node.cni("ADD", pod), 101, (leases() / name).string())) << name;

    EXPECT_EQ(state(pod), before) << name;
    fs::remove(leases() / name);
    if (was_there) std::ofstream(leases() / name);
  }
  EXPECT_TRUE(ok(node.cni("ADD", pod)));
}

TEST_F(StateFolder, WithAFolderInPlaceOfAnAddressGivesThatAddressToNobody) {
  fs::create_directories(leases() / "by-address/10.200.0.2");

  const Pod pod = node.add_pod("pod");

  EXPECT_EQ(pod.address.str(), "10.200.0.3");
}

class DamagedRecord : public StateFolder, public testing::WithParamInterface<const char*> {};

TEST_P(DamagedRecord, KeepsItsAddressUntilDelFreesAll) {
  const Pod other = node.add_pod("other");
  const auto before = state(other);
  Pod pod = node.add_pod("pod");
  must(write_file_atomically(leases() / "by-owner/pod:eth0", GetParam()));
  fs::remove_all(leases() / "pools");  // the search begins at the first address again

  const Pod next = node.add_pod("next");

  EXPECT_NE(next.address, pod.address);
  EXPECT_TRUE(ok(node.cni("DEL", next)));
  EXPECT_TRUE(ok(node.cni("DEL", pod)));
  EXPECT_EQ(state(other), before);
}

TEST_P(DamagedRecord, IsFreedOnAFullPoolOnceItsPodIsGone) {
  const auto small = nlohmann::json{{"subnet", "10.200.0.0/30"}};
  Pod pod = node.add_pod("pod", small);
  must(write_file_atomically(leases() / "by-owner/pod:eth0", GetParam()));
  const Pod next("next");
  EXPECT_TRUE(failed(node.cni("ADD", next, small), 11, "1 of 1"));

  pod.netns.remove();

  EXPECT_TRUE(eventually([&] { return node.cni("ADD", next, small).status == 0; }));
}

INSTANTIATE_TEST_SUITE_P(Of, DamagedRecord,
                         testing::Values("", "garbage", R"({"addresses": ["10.2)"),
                         [](const auto& tested) {
                           const std::string text = tested.param;
                           return text.empty() ? "empty" : text[0] == '{' ? "half" : "garbage";
                         });

}  // namespace
}  // namespace kubecni::test
