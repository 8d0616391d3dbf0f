// The Debian package, installed into a folder, and purged.

#include "support/process.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::chrono::seconds kPackDeadline{60};

class Package : public testing::Test {
 protected:
  Package() {
    must_run(
        {.argv = {"cpack", "--config", KUBECNI_BUILD "/CPackConfig.cmake", "-B", folder / "built"}},
        kPackDeadline);
    for (const auto& entry : fs::directory_iterator(folder / "built"))
      if (entry.path().extension() == ".deb") package = entry.path();
    fs::create_directories(root / "var/lib/dpkg/info");
    fs::create_directories(root / "var/lib/dpkg/updates");
    must_run({.argv = {"touch", root / "var/lib/dpkg/status"}});
  }

  /// dpkg for the root folder, in which there is nothing of Debian.
  std::string dpkg(std::vector<std::string> words) {
    words.insert(words.begin(), {"dpkg", "--root=" + root.string(), "--force-depends",
                                 "--force-script-chrootless", "--no-triggers"});
    return must_run({.argv = words}, kPackDeadline);
  }

  /// All files of the root but dpkg's own.
  std::vector<std::string> files() {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      const std::string path = "/" + fs::relative(entry.path(), root).string();
      if (!entry.is_directory() && !path.starts_with("/var/lib/dpkg/")) found.push_back(path);
    }
    return found;
  }

  const TempDir folder;
  const fs::path root = folder / "root";
  fs::path package;
};

TEST_F(Package, HasWhatANodeNeeds) {
  dpkg({"--install", package});

  EXPECT_THAT(files(), testing::IsSupersetOf({"/opt/cni/bin/kube-cni", "/usr/sbin/kube-cnid",
                                              "/usr/bin/kube-cnictl", "/etc/kube-cni/config.json",
                                              "/usr/lib/systemd/system/kube-cnid.service",
                                              "/usr/share/doc/kube-cni/docs/install.md",
                                              "/usr/share/doc/kube-cni/copyright"}));
  EXPECT_THAT(must_run({.argv = {root / "opt/cni/bin/kube-cni"},
                        .env = {"CNI_COMMAND=VERSION"},
                        .input = R"({"cniVersion": "1.0.0"})"}),
              HasSubstr("1.1.0"));
  EXPECT_THAT(must_run({.argv = {root / "usr/sbin/kube-cnid", "--version"}}),
              HasSubstr(KUBECNI_VERSION));
}

TEST_F(Package, DependsOnTheLibrariesOfTheDaemon) {
  const std::string depends = must_run({.argv = {"dpkg-deb", "--field", package, "Depends"}});

  EXPECT_THAT(depends, HasSubstr("libnftables1"));
  EXPECT_THAT(depends, HasSubstr("libc6"));
}

TEST_F(Package, HasAUnitThatSystemdTakes) {
  dpkg({"--install", package});
  must_run({.argv = {"cp", "-a", "/usr/lib/systemd/system", root / "usr/lib/systemd"}});

  const Outcome verified = run({.argv = {"systemd-analyze", "verify", "--root=" + root.string(),
                                         "--man=no", "kube-cnid.service"}});

  ASSERT_NE(verified.status, 127) << "systemd-analyze is not installed: apt install systemd";
  // Units of others name programs that are not in this folder.
  EXPECT_THAT(verified.err, testing::Not(HasSubstr("kube-cnid")));
}

TEST_F(Package, KeepsTheSettingsWhenItIsRemovedAndNothingWhenItIsPurged) {
  dpkg({"--install", package});
  fs::create_directories(root / "var/lib/kube-cni/ipam");
  must_run({.argv = {"touch", root / "var/lib/kube-cni/node.json", root / "etc/kube-cni/token"}});

  dpkg({"--remove", "kube-cni"});
  EXPECT_TRUE(fs::exists(root / "etc/kube-cni/config.json"));
  EXPECT_FALSE(fs::exists(root / "usr/sbin/kube-cnid"));
  dpkg({"--purge", "kube-cni"});

  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(Package, LeavesLeasesOfPodsAloneWhenItIsPurged) {
  const fs::path lease = root / "var/lib/kube-cni/ipam/pods/by-owner/one:eth0";
  dpkg({"--install", package});
  fs::create_directories(lease.parent_path());
  must_run({.argv = {"touch", lease}});

  dpkg({"--purge", "kube-cni"});

  EXPECT_TRUE(fs::exists(lease));
}

}  // namespace
}  // namespace kubecni::test
