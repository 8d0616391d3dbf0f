// Who may keep a daemon from starting by its socket's name.

#include "daemon/place.hpp"
#include "expect.hpp"

#include <linux/capability.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <fstream>

namespace kubecni::test {
namespace {

struct Name {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = "\0kube-cni/kube-cnid"};
  socklen_t size = offsetof(sockaddr_un, sun_path) + sizeof("\0kube-cni/kube-cnid") - 1;

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

UniqueFd listen_at_name() {
  const Name name;
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::bind(fd.get(), name.get(), name.size) != 0 || ::listen(fd.get(), SOMAXCONN) != 0) return {};
  return fd;
}

/// With a user namespace, the process gets them all back, but only there.
void drop_capabilities(bool with_user_namespace) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const __user_cap_data_struct none[2]{};
  ::syscall(SYS_capset, &header, none);
  if (with_user_namespace && ::unshare(CLONE_NEWUSER) == 0)
    std::ofstream("/proc/self/uid_map") << "0 0 1";
}

class DaemonPlaceTest : public testing::Test {
 protected:
  const Node node{"node", "10.200.0.0/24", "bridge"};
};
class DaemonPlaceBesideARoot : public DaemonPlaceTest, public testing::WithParamInterface<bool> {};

TEST_P(DaemonPlaceBesideARoot, WithoutCapabilitiesIsNotLost) {
  node.netns.enter([&] {
    const pid_t pid = ::fork();
    if (pid == 0) {
      drop_capabilities(GetParam());
      const UniqueFd fd = listen_at_name();
      ::raise(SIGSTOP);  // it has the name
      ::_exit(fd ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, WUNTRACED), pid);
    ASSERT_TRUE(WIFSTOPPED(status));

    EXPECT_TRUE(DaemonPlace::take(node.run_dir()));

    ::kill(pid, SIGCONT);
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  });
}

INSTANTIATE_TEST_SUITE_P(Of, DaemonPlaceBesideARoot, testing::Bool(), [](const auto& tested) {
  return tested.param ? "user_namespace" : "container";
});

TEST_F(DaemonPlaceTest, IsAnothersWhoIsAskedOnce) {
  node.netns.enter([&] {
    const UniqueFd holder = listen_at_name();
    ASSERT_TRUE(holder);

    const auto place = DaemonPlace::take(node.run_dir());

    ASSERT_FALSE(place);
    EXPECT_EQ(place.error().code, EBUSY);
    EXPECT_TRUE(UniqueFd(::accept(holder.get(), nullptr, nullptr)));
    EXPECT_FALSE(UniqueFd(::accept(holder.get(), nullptr, nullptr)));
  });
}

TEST_F(DaemonPlaceTest, AnswersThoseWhoAsk) {
  node.netns.enter([&] {
    auto place = must(DaemonPlace::take(node.run_dir()));
    const Name name;
    const UniqueFd asker(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_EQ(::connect(asker.get(), name.get(), name.size), 0);
    char byte = 0;
    ASSERT_EQ(::recv(asker.get(), &byte, 1, 0), -1);

    EXPECT_FALSE(must(place.keep()));

    EXPECT_EQ(::recv(asker.get(), &byte, 1, 0), 0);
  });
}

}  // namespace
}  // namespace kubecni::test
