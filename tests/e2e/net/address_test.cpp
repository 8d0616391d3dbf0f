// Addresses of links, and when the kernel accepts packets to them.

#include "net/address.hpp"

#include "link_pair.hpp"

#include <gmock/gmock.h>

#include <cerrno>

namespace kubecni::test {
namespace {

class Addresses : public LinkPair {
 protected:
  /// Gives `given` to eth0, and waits for `awaited`.
  Result<> give_and_await(const std::string& given, const std::string& awaited) {
    auto done = ensure_address(netlink, ifindex_of("eth0"), net(given));
    return done ? await_address(netlink, addr(awaited)) : done;
  }
};

TEST_F(Addresses, AreTheNamespacesOwnWhenTheyWereAwaited) {
  // Repeats often enough to be too early once, without the wait.
  for (int i = 1; i <= 50; ++i) {
    const std::string address = "2001:db8:7::" + std::to_string(i);

    EXPECT_TRUE(ok(give_and_await(address + "/64", address)));

    EXPECT_THAT(ip("-6 route get " + address), testing::HasSubstr("local"));
  }
  EXPECT_TRUE(ok(give_and_await("192.0.2.7/24", "192.0.2.7")));
}

TEST_F(Addresses, WaitForAForeignOneEnds) {
  EXPECT_EQ(give_and_await("192.0.2.7/24", "192.0.2.8").error().code, ETIMEDOUT);
}

TEST_F(Addresses, LinkLocalOnesHaveLinkScope) {
  EXPECT_TRUE(ok(give_and_await("169.254.7.7/32", "169.254.7.7")));

  EXPECT_THAT(ip("addr"), testing::HasSubstr("inet 169.254.7.7/32 scope link"));
}

}  // namespace
}  // namespace kubecni::test
