#include "control/install/install_controller.hpp"

#include "base/file.hpp"
#include "support/eventually.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <fstream>

namespace kubecni::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

void put(const fs::path& path, const std::string& content) { std::ofstream(path) << content; }

std::string content_of(const fs::path& path) { return read_file(path).value(); }

std::vector<std::string> names_in(const fs::path& path) { return list_directory(path).value(); }

unsigned mode_of(const fs::path& path) {
  struct stat status{};
  ::lstat(path.c_str(), &status);
  return status.st_mode & 07777;
}

class InstallControllerTest : public testing::Test {
 protected:
  InstallControllerTest() {
    options_.cni.conf_dir = folder_ / "net.d";
    options_.cni.bin_dir = folder_ / "bin";
    options_.cni.plugin_binary = folder_ / "kube-cni";
    make_plugin(options_.cni.plugin_binary, "1.1.0");
  }

  /// A program that answers VERSION alone.
  static void make_plugin(const fs::path& path, const std::string& version) {
    fs::remove(path);
    put(path, "#!/bin/sh\necho '{\"supportedVersions\": [\"1.0.0\", \"" + version + "\"]}'\n");
    fs::permissions(path, fs::perms::owner_all);
  }

  struct Seen {
    ListState list;
    std::string pending;
    std::vector<std::string> warnings, errors, changes;
  };

  Seen sync(const std::string& why_not_ready = "") {
    if (!install_) install_ = InstallController::open(options_).value();
    Seen seen = sync_once(why_not_ready);
    while (seen.pending.ends_with("is being asked for its versions")) {
      pollfd event{.fd = install_->fd(), .events = POLLIN, .revents = 0};
      EXPECT_EQ(::poll(&event, 1, 30'000), 1) << "nobody says that the plugin has answered";
      install_->drain();
      auto before = std::move(seen.changes);
      seen = sync_once(why_not_ready);
      seen.changes.insert(seen.changes.begin(), before.begin(), before.end());
    }
    return seen;
  }
  Seen sync_once(const std::string& why_not_ready) {
    Outcome outcome{.controller = "install"};
    install_->sync(why_not_ready, outcome);
    const auto pending = outcome.texts_of(ConditionKind::kListPending);
    return {install_->state(), pending.empty() ? "" : pending.front(),
            outcome.texts_of(ConditionKind::kPlugins), outcome.texts_of(ConditionKind::kFailed),
            outcome.changes};
  }

  [[nodiscard]] fs::path list() const { return options_.cni.conf_dir / options_.cni.conf_name; }
  [[nodiscard]] fs::path program() const { return options_.cni.bin_dir / "kube-cni"; }

  TempDir folder_;
  DaemonOptions options_;
  std::optional<InstallController> install_;
};

TEST_F(InstallControllerTest, MakesFoldersProgramAndListOnce) {
  const auto first = sync();
  const auto second = sync();

  EXPECT_THAT(first.errors, IsEmpty());
  EXPECT_THAT(first.changes,
              ElementsAre("installed " + program().string(), "wrote " + list().string()));
  EXPECT_TRUE(first.list.exists);
  EXPECT_EQ(first.pending, "");
  EXPECT_EQ(first.list.cni_version, "1.1.0");
  EXPECT_THAT(first.list.plugins, ElementsAre("kube-cni"));
  EXPECT_THAT(second.changes, IsEmpty());
  EXPECT_EQ(content_of(program()), content_of(options_.cni.plugin_binary));
  EXPECT_EQ(mode_of(program()), 0755u);
  EXPECT_EQ(mode_of(list()), 0600u);
}

TEST_F(InstallControllerTest, MakesNothingUnlessAskedTo) {
  options_.cni.conf_dir.clear();
  options_.cni.plugin_binary.clear();

  const auto seen = sync();

  EXPECT_THAT(seen.errors, IsEmpty());
  EXPECT_EQ(seen.list.path, "");
  EXPECT_FALSE(fs::exists(options_.cni.bin_dir));
}

TEST_F(InstallControllerTest, InstallsTheProgramButNoListBeforeTheNodeCanTakePods) {
  const auto seen = sync("no PodCIDR");

  EXPECT_TRUE(fs::exists(program()));
  EXPECT_FALSE(fs::exists(list()));
  EXPECT_FALSE(seen.list.exists);
  EXPECT_THAT(seen.pending, HasSubstr("no PodCIDR"));
}

TEST_F(InstallControllerTest, KeepsTheListAndPutsItBackWhenTheNodeCannotTakePodsAnyMore) {
  sync();
  EXPECT_TRUE(sync("no bridge").list.exists);

  fs::remove(list());

  EXPECT_TRUE(sync("no bridge").list.exists);
  EXPECT_TRUE(fs::exists(list()));
}

TEST_F(InstallControllerTest, LeavesAListOfBeforeUntilTheNodeCanTakePods) {
  fs::create_directories(options_.cni.conf_dir);
  put(list(), "old");

  EXPECT_TRUE(sync("no PodCIDR").list.exists);

  EXPECT_EQ(content_of(list()), "old");
}

TEST_F(InstallControllerTest, PutsBackWhatIsRemovedOrDamaged) {
  sync();
  const auto text = content_of(list());

  fs::remove(program());
  fs::remove_all(options_.cni.conf_dir);
  EXPECT_THAT(sync().errors, IsEmpty());
  EXPECT_EQ(content_of(list()), text);
  EXPECT_EQ(content_of(program()), content_of(options_.cni.plugin_binary));

  put(program(), "#!/bin/sh\n");
  put(list(), "{}");
  EXPECT_THAT(sync().errors, IsEmpty());
  EXPECT_EQ(content_of(list()), text);
  EXPECT_EQ(content_of(program()), content_of(options_.cni.plugin_binary));

  fs::permissions(program(), fs::perms::owner_read);
  EXPECT_THAT(sync().changes, ElementsAre("installed " + program().string()));
  EXPECT_EQ(mode_of(program()), 0755u);
}

TEST_F(InstallControllerTest, TellsWhenItsFoldersChange) {
  sync();
  sync();
  install_->drain();

  fs::remove(program());

  pollfd event{.fd = install_->fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&event, 1, 0), 1);
}

TEST_F(InstallControllerTest, TakesANewProgramToInstall) {
  sync();

  make_plugin(options_.cni.plugin_binary, "1.0.0");
  sync();

  EXPECT_EQ(content_of(program()), content_of(options_.cni.plugin_binary));
  EXPECT_TRUE(eventually([&] { return sync().list.cni_version == "1.0.0"; }));
}

TEST_F(InstallControllerTest, ReplacesALinkAndLeavesWhatItLeadsTo) {
  fs::create_directories(options_.cni.conf_dir);
  fs::create_directories(options_.cni.bin_dir);
  put(folder_ / "elsewhere", "kept");
  fs::create_symlink(folder_ / "elsewhere", list());
  fs::create_symlink(options_.cni.plugin_binary, program());

  EXPECT_THAT(sync().errors, IsEmpty());

  EXPECT_FALSE(fs::is_symlink(list()));
  EXPECT_FALSE(fs::is_symlink(program()));
  EXPECT_EQ(content_of(folder_ / "elsewhere"), "kept");
}

TEST_F(InstallControllerTest, DoesNotHangOnAPipeInItsPlace) {
  fs::create_directories(options_.cni.conf_dir);
  ASSERT_EQ(::mkfifo(list().c_str(), 0600), 0);

  EXPECT_THAT(sync().errors, IsEmpty());
  EXPECT_TRUE(fs::is_regular_file(list()));
}

TEST_F(InstallControllerTest, SaysWhatToDoWithAFolderInItsPlaceAndGoesOnAfterwards) {
  fs::create_directories(list());
  fs::create_directories(program());

  const auto seen = sync();

  EXPECT_THAT(seen.errors, Contains(program().string() + " is a directory; remove it"));
  EXPECT_FALSE(seen.list.exists);
  fs::remove(program());
  EXPECT_THAT(sync().errors, ElementsAre(list().string() + " is a directory; remove it"));
  fs::remove(list());
  EXPECT_THAT(sync().errors, IsEmpty());
}

TEST_F(InstallControllerTest, SaysThatAFolderCannotBeMade) {
  put(folder_ / "file", "");
  options_.cni.conf_dir = folder_ / "file" / "net.d";

  const auto seen = sync();

  EXPECT_THAT(seen.errors, Contains(HasSubstr((folder_ / "file/net.d").string())));
  EXPECT_FALSE(seen.list.exists);
}

TEST_F(InstallControllerTest, WithoutAPluginThereIsNoList) {
  options_.cni.plugin_binary.clear();

  const auto seen = sync();

  EXPECT_FALSE(fs::exists(list()));
  EXPECT_THAT(seen.pending, HasSubstr(program().string() + " is not there"));
  EXPECT_THAT(seen.errors, ElementsAre(seen.pending));
}

TEST_F(InstallControllerTest, APartnerComesIntoTheListWhenItsProgramDoes) {
  options_.cni.chain = {{{"type", "portmap"}}};
  const auto without = sync();
  EXPECT_THAT(without.list.plugins, ElementsAre("kube-cni"));
  EXPECT_THAT(without.warnings, ElementsAre(HasSubstr("portmap is left out of the list: ")));

  make_plugin(options_.cni.bin_dir / "portmap", "0.4.0");
  const auto with = sync();

  EXPECT_THAT(with.list.plugins, ElementsAre("kube-cni", "portmap"));
  EXPECT_THAT(with.warnings, IsEmpty());
  EXPECT_EQ(with.list.cni_version, "1.0.0");
  EXPECT_EQ(json::parse(content_of(list()))["plugins"][1]["type"], "portmap");
}

// Its package may be replaced at the moment, and pods would start without their host ports.
TEST_F(InstallControllerTest, APartnerThatIsMissingAtTheStartStaysInTheListForAWhile) {
  options_.cni.chain = {{{"type", "portmap"}}};
  fs::create_directories(options_.cni.bin_dir);
  make_plugin(options_.cni.bin_dir / "portmap", "1.0.0");
  sync();
  const std::string before = content_of(list());
  install_.reset();
  fs::remove(options_.cni.bin_dir / "portmap");

  const auto seen = sync();

  EXPECT_EQ(content_of(list()), before);
  EXPECT_THAT(seen.pending, HasSubstr("stays as it is for a minute"));

  make_plugin(options_.cni.bin_dir / "portmap", "1.0.0");
  EXPECT_EQ(sync().pending, "");
}

TEST_F(InstallControllerTest, RemovesWhatAKilledDaemonLeftAndNothingElse) {
  fs::create_directories(options_.cni.conf_dir);
  fs::create_directories(options_.cni.bin_dir);
  put(unfinished_name(list()), "half");
  put(unfinished_name(program()), "half");
  put(options_.cni.conf_dir / "20-other.conflist", "theirs");
  put(options_.cni.bin_dir / "other", "theirs");

  sync();

  EXPECT_EQ(names_in(options_.cni.conf_dir),
            (std::vector<std::string>{"10-kube-cni.conflist", "20-other.conflist"}));
  EXPECT_EQ(names_in(options_.cni.bin_dir), (std::vector<std::string>{"kube-cni", "other"}));
  EXPECT_EQ(content_of(options_.cni.conf_dir / "20-other.conflist"), "theirs");
}

TEST_F(InstallControllerTest, WarnsOfFilesThatTheRuntimeTakesInstead) {
  fs::create_directories(options_.cni.conf_dir);
  put(options_.cni.conf_dir / "05-other.conf", "{}");

  EXPECT_THAT(sync().warnings, ElementsAre(HasSubstr("05-other.conf instead of")));
}

// A program that runs cannot be written, only replaced.
TEST_F(InstallControllerTest, ReplacesAProgramThatRuns) {
  fs::create_directories(options_.cni.bin_dir);
  fs::copy_file("/bin/sleep", program());
  const pid_t pid = ::fork();
  if (pid == 0) ::execl(program().c_str(), "sleep", "1000", nullptr);

  const auto seen = sync();

  EXPECT_THAT(seen.errors, IsEmpty());
  EXPECT_EQ(content_of(program()), content_of(options_.cni.plugin_binary));
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

TEST(FindPreferred, NamesConfigurationsThatSortBeforeOurs) {
  const std::vector<std::string> names{".hidden.conf",  "05-a.json",
                                       "06-readme.txt", "07-b.conf",
                                       "08-c.conflist", "10-kube-cni.conflist",
                                       "20-d.conf",     ".10-kube-cni.conflist.new"};

  EXPECT_THAT(find_preferred(names, "10-kube-cni.conflist"),
              ElementsAre(".hidden.conf", "05-a.json", "07-b.conf", "08-c.conflist"));
}

}  // namespace
}  // namespace kubecni::test
