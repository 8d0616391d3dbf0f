// attach() and detach() at a real veth: with tcx if the kernel has it, and with clsact everywhere.
#include "dataplane/hook.hpp"

#include "base/unique_fd.hpp"
#include "dataplane/pins.hpp"
#include "namespaces.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <linux/bpf.h>

#include <cerrno>
#include <filesystem>
#include <iterator>
#include <optional>
#include <vector>

namespace kubecni::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// A program that does nothing. Its name and the map's tell it from others.
struct LoadedProgram {
  explicit LoadedProgram(const char* name, const char* map_name = "exit_counts") {
    const UniqueFd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, map_name, 4, 4, 1, nullptr));
    const bpf_insn code[] = {{.code = BPF_LD | BPF_DW | BPF_IMM,
                              .dst_reg = 1,
                              .src_reg = BPF_PSEUDO_MAP_FD,
                              .imm = map.get()},
                             {},
                             {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = -1},
                             {.code = BPF_JMP | BPF_EXIT}};
    fd.reset(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, name, "GPL", code, std::size(code), nullptr));
    bpf_prog_info info{};
    __u32 size = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0)
      must(Result<>(sys_error(errno, "load a program")));
    id = info.id;
  }
  UniqueFd fd;
  unsigned id = 0;
};

class HookTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_run_bpf()) GTEST_SKIP() << kWhySkipped;
    links_ = PinPaths(PrivateNamespaces::enter().bpffs()).links;
    std::filesystem::remove_all(links_);  // husks of the test before
    std::filesystem::create_directories(links_);
    device_ = add_device("veth.7");
    ours_.emplace(kFromPod.name);
    newer_.emplace(kFromPod.name);
    foreign_.emplace("nothing");
  }
  void TearDown() override {
    if (device_.ifindex != 0) remove_device(device_);
  }

  [[nodiscard]] bool is_ours(const Program& hook, const LoadedProgram& program) const {
    return must(is_attached(links_, hook, device_, program.id));
  }
  [[nodiscard]] std::ptrdiff_t pins() const {
    return std::distance(std::filesystem::directory_iterator(links_), {});
  }

  static bpf_tc_hook point(const Program& hook, const Device& device) {
    return {.sz = sizeof(bpf_tc_hook),
            .ifindex = static_cast<int>(device.ifindex),
            .attach_point = hook.hook == KUBECNI_HOOK_TC_INGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS};
  }
  /// The program of the filter with this handle and priority; 0: there is none.
  [[nodiscard]] unsigned filter(const Program& hook, unsigned handle, unsigned priority) const {
    bpf_tc_hook where = point(hook, device_);
    bpf_tc_opts opts{.sz = sizeof(opts), .handle = handle, .priority = priority};
    return bpf_tc_query(&where, &opts) == 0 ? opts.prog_id : 0;
  }
  [[nodiscard]] bool add_foreign(const Program& hook, unsigned handle, unsigned priority) const {
    bpf_tc_hook where = point(hook, device_);
    bpf_tc_opts opts{
        .sz = sizeof(opts), .prog_fd = foreign_->fd.get(), .handle = handle, .priority = priority};
    const int made = bpf_tc_hook_create(&where);
    return (made == 0 || made == -EEXIST) && bpf_tc_attach(&where, &opts) == 0;
  }

  std::filesystem::path links_;
  Device device_;
  std::optional<LoadedProgram> ours_, newer_, foreign_;
};

class Tcx : public HookTest {
 protected:
  void SetUp() override {
    HookTest::SetUp();
    if (IsSkipped()) return;
    if (must(attach(links_, kFromWire, device_, ours_->fd.get())) != AttachKind::kTcx)
      GTEST_SKIP() << "this kernel has no tcx";
  }
  static bpf_attach_type type(const Program& hook) {
    return static_cast<bpf_attach_type>(hook.hook == KUBECNI_HOOK_TC_INGRESS ? 46 : 47);
  }
  /// The programs at the hook, in their order.
  [[nodiscard]] std::vector<unsigned> programs(const Program& hook) const {
    std::vector<unsigned> ids(8);
    __u32 count = 8;
    if (bpf_prog_query(static_cast<int>(device_.ifindex), type(hook), 0, nullptr, ids.data(),
                       &count) != 0)
      must(Result<>(sys_error(errno, "query tcx")));
    ids.resize(count);
    return ids;
  }
  [[nodiscard]] UniqueFd link_foreign(const Program& hook) const {
    return UniqueFd(bpf_link_create(foreign_->fd.get(), static_cast<int>(device_.ifindex),
                                    type(hook), nullptr));
  }
};

TEST_F(Tcx, IsKnownToBeThere) { EXPECT_TRUE(has_tcx()); }

TEST_F(Tcx, ProgramRunsAtItsHookOnly) {
  EXPECT_THAT(programs(kFromWire), ElementsAre(ours_->id));
  EXPECT_THAT(programs(kToWire), IsEmpty());
  EXPECT_TRUE(is_ours(kFromWire, *ours_));
  EXPECT_FALSE(is_ours(kToWire, *ours_));
}

TEST_F(Tcx, AttachedTwiceItRunsOnce) {
  must(attach(links_, kFromWire, device_, ours_->fd.get()));

  EXPECT_THAT(programs(kFromWire), ElementsAre(ours_->id));
  EXPECT_EQ(pins(), 1);
}

TEST_F(Tcx, NewerProgramTakesThePlaceOfTheOlder) {
  must(attach(links_, kFromWire, device_, newer_->fd.get()));

  EXPECT_THAT(programs(kFromWire), ElementsAre(newer_->id));
  EXPECT_FALSE(is_ours(kFromWire, *ours_));
  EXPECT_TRUE(is_ours(kFromWire, *newer_));
}

TEST_F(Tcx, ForeignProgramStays) {
  const UniqueFd foreign = link_foreign(kFromWire);
  ASSERT_TRUE(foreign);

  must(attach(links_, kFromWire, device_, newer_->fd.get()));
  EXPECT_THAT(programs(kFromWire), ElementsAre(newer_->id, foreign_->id));

  must(detach(links_, kFromWire, device_));
  EXPECT_THAT(programs(kFromWire), ElementsAre(foreign_->id));
}

TEST_F(Tcx, DetachLeavesNothing) {
  must(detach(links_, kFromWire, device_));

  EXPECT_THAT(programs(kFromWire), IsEmpty());
  EXPECT_FALSE(is_ours(kFromWire, *ours_));
  EXPECT_EQ(pins(), 0);
}

TEST_F(Tcx, LinkOfADeletedDeviceIsReplaced) {
  const Device deleted = device_;
  remove_device(device_);
  device_ = add_device(deleted.name);
  ASSERT_NE(device_.ifindex, deleted.ifindex);
  EXPECT_FALSE(must(is_attached(links_, kFromWire, deleted, ours_->id)));
  EXPECT_FALSE(is_ours(kFromWire, *ours_));

  must(attach(links_, kFromWire, device_, ours_->fd.get()));

  EXPECT_THAT(programs(kFromWire), ElementsAre(ours_->id));
  EXPECT_TRUE(is_ours(kFromWire, *ours_));
  EXPECT_EQ(pins(), 1);
}

// Another device has its former name.
TEST_F(Tcx, LinkOfARenamedDeviceStaysThere) {
  const UniqueFd link(bpf_obj_get((links_ / "veth:7_from_wire").c_str()));
  ASSERT_EQ(bpf_obj_pin(link.get(), (links_ / "renamed_from_wire").c_str()), 0);
  const Device successor = add_device("veth.8");

  must(attach(links_, kFromWire, {successor.ifindex, device_.name}, newer_->fd.get()));

  EXPECT_THAT(programs(kFromWire), ElementsAre(ours_->id));
  EXPECT_EQ(pins(), 2);
  remove_device(successor);
}

TEST_F(Tcx, DetachOfADeletedDeviceRemovesTheHusk) {
  remove_device(device_);

  EXPECT_TRUE(detach(links_, kFromWire, {.ifindex = 0, .name = device_.name}));
  EXPECT_EQ(pins(), 0);
}

TEST_F(Tcx, LinkOfAnOlderVersionAtAPodStaysTheOnlyHolder) {
  must(detach(links_, kFromWire, device_));
  const UniqueFd link(
      bpf_link_create(ours_->fd.get(), static_cast<int>(device_.ifindex), type(kFromPod), nullptr));
  ASSERT_EQ(bpf_obj_pin(link.get(), (links_ / "veth:7_from_pod").c_str()), 0);

  EXPECT_EQ(must(attach(links_, kFromPod, device_, newer_->fd.get(), AttachKind::kClsact)),
            AttachKind::kTcx);

  EXPECT_THAT(programs(kFromPod), ElementsAre(newer_->id));
  EXPECT_EQ(filter(kFromPod, 1, 10), 0u);
}

/// Links whose pins this mount namespace does not see: another one keeps the file system that was
/// unmounted here.
class TcxOfAnotherFileSystem : public Tcx {
 protected:
  void SetUp() override {
    Tcx::SetUp();
    if (IsSkipped()) return;
    const std::filesystem::path pin = links_ / "veth:7_from_pod";
    must(detach(links_, kFromWire, device_));  // at the same hook
    must(attach(links_, kFromPod, device_, ours_->fd.get()));
    kept_.reset(bpf_obj_get(pin.c_str()));
    std::filesystem::remove(pin);
  }
  UniqueFd kept_;
};

TEST_F(TcxOfAnotherFileSystem, OldProgramIsReplacedInItsPlace) {
  EXPECT_TRUE(must(is_held(links_, kFromPod, device_)));
  EXPECT_FALSE(is_ours(kFromPod, *ours_)) << "this build does not hold it";

  must(attach(links_, kFromPod, device_, newer_->fd.get()));

  EXPECT_THAT(programs(kFromPod), ElementsAre(newer_->id));
  EXPECT_TRUE(is_ours(kFromPod, *newer_));
  kept_.reset();
  EXPECT_THAT(programs(kFromPod), ElementsAre(newer_->id)) << "it has a pin of its own";
}

TEST_F(TcxOfAnotherFileSystem, SameProgramIsTakenOver) {
  must(attach(links_, kFromPod, device_, ours_->fd.get()));

  EXPECT_THAT(programs(kFromPod), ElementsAre(ours_->id));
  EXPECT_TRUE(is_ours(kFromPod, *ours_));
}

TEST_F(TcxOfAnotherFileSystem, OldProgramBesideThePinnedOneIsSeenAndTakenOff) {
  const UniqueFd link(bpf_link_create(newer_->fd.get(), static_cast<int>(device_.ifindex),
                                      type(kFromPod), nullptr));
  ASSERT_EQ(bpf_obj_pin(link.get(), (links_ / "veth:7_from_pod").c_str()), 0);
  ASSERT_THAT(programs(kFromPod), ElementsAre(ours_->id, newer_->id));
  EXPECT_FALSE(is_ours(kFromPod, *newer_)) << "another version runs beside it";

  must(attach(links_, kFromPod, device_, newer_->fd.get()));

  EXPECT_THAT(programs(kFromPod), ElementsAre(newer_->id));
  EXPECT_TRUE(is_ours(kFromPod, *newer_));
}

TEST_F(TcxOfAnotherFileSystem, DetachTakesItOff) {
  must(detach(links_, kFromPod, device_));

  EXPECT_THAT(programs(kFromPod), IsEmpty());
  EXPECT_FALSE(must(is_held(links_, kFromPod, device_)));
}

TEST_F(TcxOfAnotherFileSystem, ForeignProgramsStay) {
  const UniqueFd foreign = link_foreign(kFromPod);

  must(attach(links_, kFromPod, device_, newer_->fd.get()));
  EXPECT_THAT(programs(kFromPod), ElementsAre(newer_->id, foreign_->id));
  must(detach(links_, kFromPod, device_));

  EXPECT_THAT(programs(kFromPod), ElementsAre(foreign_->id));
}

TEST_F(TcxOfAnotherFileSystem, ForeignProgramOfTheSameNameStays) {
  foreign_.emplace(kFromPod.name, "counters");
  const UniqueFd foreign = link_foreign(kFromPod);

  must(attach(links_, kFromPod, device_, newer_->fd.get()));
  EXPECT_THAT(programs(kFromPod), ElementsAre(newer_->id, foreign_->id));
  EXPECT_TRUE(is_ours(kFromPod, *newer_));
  must(detach(links_, kFromPod, device_));

  EXPECT_THAT(programs(kFromPod), ElementsAre(foreign_->id));
  EXPECT_FALSE(must(is_held(links_, kFromPod, device_)));
}

TEST_F(Tcx, FilterOfOursBesideALinkIsTakenOff) {
  must(detach(links_, kFromWire, device_));
  must(attach(links_, kFromPod, device_, ours_->fd.get()));
  must(attach_clsact(kFromPod, device_, newer_->fd.get()));
  EXPECT_FALSE(is_ours(kFromPod, *ours_));

  must(attach(links_, kFromPod, device_, ours_->fd.get()));

  EXPECT_EQ(filter(kFromPod, 1, 10), 0u);
  EXPECT_TRUE(is_ours(kFromPod, *ours_));
}

TEST_F(Tcx, LinkWhosePinWasJustRemovedIsMadeAgain) {
  // The kernel lets go of the old link some time later.
  for (int turn = 0; turn < 20; ++turn) {
    std::filesystem::remove(links_ / "veth:7_from_wire");
    const auto attached = attach(links_, kFromWire, device_, ours_->fd.get());
    ASSERT_TRUE(attached) << attached.error().what;
    ASSERT_TRUE(is_ours(kFromWire, *ours_));
  }
}

TEST_F(Tcx, TakesAPodsProgramWhereSomebodyElseHasThePlaceOfOurFilter) {
  must(detach(links_, kFromWire, device_));
  ASSERT_TRUE(add_foreign(kFromPod, 1, 10));

  EXPECT_EQ(must(attach(links_, kFromPod, device_, ours_->fd.get(), AttachKind::kClsact)),
            AttachKind::kTcx);

  EXPECT_THAT(programs(kFromPod), ElementsAre(ours_->id));
  EXPECT_EQ(filter(kFromPod, 1, 10), foreign_->id);
}

class Clsact : public HookTest {};

TEST_F(Clsact, HoldsAProgramWherePreferred) {
  EXPECT_EQ(must(attach(links_, kFromPod, device_, ours_->fd.get(), AttachKind::kClsact)),
            AttachKind::kClsact);

  EXPECT_EQ(filter(kFromPod, 1, 10), ours_->id);
  EXPECT_EQ(pins(), 0);
}

TEST_F(Clsact, AttachingTwiceIsFine) {
  must(attach_clsact(kFromPod, device_, ours_->fd.get()));
  must(attach_clsact(kFromPod, device_, ours_->fd.get()));

  EXPECT_TRUE(is_ours(kFromPod, *ours_));
  EXPECT_FALSE(is_ours(kToPod, *ours_));
}

TEST_F(Clsact, NewerProgramTakesThePlaceOfTheOlder) {
  must(attach_clsact(kToPod, device_, ours_->fd.get()));
  must(attach_clsact(kToPod, device_, newer_->fd.get()));

  EXPECT_FALSE(is_ours(kToPod, *ours_));
  EXPECT_TRUE(is_ours(kToPod, *newer_));
}

TEST_F(Clsact, ForeignFiltersStay) {
  ASSERT_TRUE(add_foreign(kFromPod, 1, 1));
  ASSERT_TRUE(add_foreign(kFromPod, 7, 20));

  must(attach_clsact(kFromPod, device_, ours_->fd.get()));
  EXPECT_TRUE(is_ours(kFromPod, *ours_));
  EXPECT_EQ(filter(kFromPod, 1, 1), foreign_->id);
  EXPECT_EQ(filter(kFromPod, 7, 20), foreign_->id);

  must(detach(links_, kFromPod, device_));
  EXPECT_FALSE(is_ours(kFromPod, *ours_));
  EXPECT_EQ(filter(kFromPod, 1, 1), foreign_->id);
  EXPECT_EQ(filter(kFromPod, 7, 20), foreign_->id);
}

TEST_F(Clsact, ForeignFilterAtOurPlaceIsNeitherReplacedNorRemoved) {
  for (const char* name : {"nothing", kFromPod.name}) {
    foreign_.emplace(name, "counters");
    ASSERT_TRUE(add_foreign(kFromPod, 1, 10)) << name;

    const auto attached = attach_clsact(kFromPod, device_, ours_->fd.get());

    ASSERT_FALSE(attached) << name;
    EXPECT_EQ(attached.error().code, EBUSY) << name;
    must(detach(links_, kFromPod, device_));
    EXPECT_EQ(filter(kFromPod, 1, 10), foreign_->id) << name;
    bpf_tc_hook where = point(kFromPod, device_);
    bpf_tc_opts opts{.sz = sizeof(opts), .handle = 1, .priority = 10};
    ASSERT_EQ(bpf_tc_detach(&where, &opts), 0) << name;
  }
}

TEST_F(Clsact, ThePodsFilterIsNoneOfAWireAndSurvivesItsDetach) {
  must(attach_clsact(kFromPod, device_, ours_->fd.get()));

  EXPECT_TRUE(must(is_held(links_, kFromPod, device_)));
  EXPECT_FALSE(must(is_held(links_, kFromWire, device_)));
  must(detach(links_, kFromWire, device_));

  EXPECT_EQ(filter(kFromPod, 1, 10), ours_->id);
}

TEST_F(Clsact, DetachEndsOneHookOnly) {
  must(attach_clsact(kFromPod, device_, ours_->fd.get()));
  must(attach_clsact(kToPod, device_, ours_->fd.get()));

  must(detach(links_, kFromPod, device_));

  EXPECT_FALSE(is_ours(kFromPod, *ours_));
  EXPECT_TRUE(is_ours(kToPod, *ours_));
}

TEST_F(HookTest, DetachOfWhatIsNotThereIsSuccess) {
  EXPECT_TRUE(detach(links_, kFromPod, device_)) << "nothing attached, no qdisc";
  must(attach_clsact(kToPod, device_, ours_->fd.get()));
  EXPECT_TRUE(detach(links_, kFromPod, device_)) << "a qdisc, but no filter of ours";

  const Device deleted = add_device("deleted");
  remove_device(deleted);
  EXPECT_TRUE(detach(links_, kFromPod, deleted)) << "no such device any more";
  EXPECT_TRUE(detach(links_, kFromPod, {.ifindex = 0, .name = "deleted"})) << "nor its index";
}

TEST_F(HookTest, DeviceThatIsNotThereHasNothingAttached) {
  const Device deleted = add_device("deleted");
  remove_device(deleted);

  EXPECT_FALSE(must(is_attached(links_, kFromPod, deleted, ours_->id)));
  const auto attached = attach(links_, kFromPod, deleted, ours_->fd.get());
  ASSERT_FALSE(attached);
  EXPECT_EQ(attached.error().code, ENODEV) << attached.error().what;
  const auto on_clsact = attach_clsact(kFromPod, deleted, ours_->fd.get());
  ASSERT_FALSE(on_clsact);
  EXPECT_EQ(on_clsact.error().code, ENODEV) << on_clsact.error().what;
}

}  // namespace
}  // namespace kubecni::test
