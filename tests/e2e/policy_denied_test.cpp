// What a pod hears of a connection that its policies do not let out: `policyDenied`.

#include "policy_nodes.hpp"
#include "support/socket.hpp"

#include <poll.h>

#include <cerrno>

namespace kubecni::test {
namespace {

using testing::AnyOf;
using testing::ContainsRegex;

/// Pods 0 and 2 are on one node, in the namespaces x and z; pod 1 is on another one.
class PolicyDenied : public PolicyTest {
 protected:
  explicit PolicyDenied(const std::string& dataplane, std::vector<std::string> options)
      : PolicyTest({dataplane, "direct", std::move(options)}) {
    for (std::size_t i = 0; i < 3; ++i) add_pod(i);
  }

  /// No pod of x may send, or none may get anything.
  void close(const std::string& direction) {
    json objects = RandomPolicies(1).cluster(pods_.size(), 0, addresses());
    objects["policies"].push_back({{"kind", "NetworkPolicy"},
                                   {"metadata", {{"name", "closed"}, {"namespace", "x"}}},
                                   {"spec", {{"policyTypes", {direction}}}}});
    write(objects);
    const std::string has_chain = direction == "Egress" ? ": jump eg_" : ": jump in_";
    ASSERT_TRUE(eventually([&] {
      const std::string rules = cluster.a.must_run({"nft", "list", "ruleset"});
      return rules.contains("no rule of x/closed") && rules.contains(has_chain);
    }));
  }

  /// How connect(2) ends within the time.
  [[nodiscard]] int connect(std::size_t from, std::size_t to, int family,
                            std::chrono::milliseconds time) const {
    const UniqueFd client =
        open_socket(pods_[from]->netns, family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
    const SocketAddress peer(pods_[to]->address_of(family), kFirstPort);
    if (::connect(client.get(), peer.raw(), peer.size()) != 0 && errno != EINPROGRESS) return errno;
    if (auto ready = wait_ready(client.get(), POLLOUT, Clock::now() + time, "connect"); !ready)
      return ready.error().code;
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(client.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
  }
};

class PolicyRejects : public PolicyDenied, public testing::WithParamInterface<const char*> {
 protected:
  PolicyRejects() : PolicyDenied(GetParam(), {"--policy-denied", "reject"}) {}
};

// The first error comes while the client still holds its socket's lock. With IPv6, the kernel takes
// only that about the second SYN, a second later.
constexpr std::chrono::milliseconds kAtOnce{900};
constexpr std::chrono::seconds kSecondSyn{3};

TEST_P(PolicyRejects, WhatAPodMayNotSendSoThatItsClientsFailSoon) {
  for (const std::size_t to : {1, 2})
    for (const int family : {AF_INET, AF_INET6})
      ASSERT_EQ(connect(0, to, family, kSecondSyn), ECONNREFUSED) << "it is open, to pod " << to;

  close("Egress");

  const std::uint64_t before = dropped();
  for (const std::size_t to : {1, 2}) {
    EXPECT_EQ(connect(0, to, AF_INET, kAtOnce), EHOSTUNREACH) << "to pod " << to;
    EXPECT_THAT(connect(0, to, AF_INET6, kSecondSyn), AnyOf(EACCES, EHOSTUNREACH))
        << "to pod " << to;
  }
  EXPECT_GE(dropped() - before, 4u);
  EXPECT_THAT(verdict("x/pod0", "z/pod2"), ContainsRegex("table +denied .*no rule of x/closed"));
  EXPECT_EQ(connect(2, 0, AF_INET, kAtOnce), ECONNREFUSED) << "it may answer";
}

TEST_P(PolicyRejects, NothingThatAPodMayNotGet) {
  close("Ingress");

  EXPECT_EQ(connect(2, 0, AF_INET, kSecondSyn), ETIMEDOUT);
  EXPECT_EQ(connect(1, 0, AF_INET6, kSecondSyn), ETIMEDOUT);
}

INSTANTIATE_TEST_SUITE_P(Dataplanes, PolicyRejects, testing::Values("ebpf", "bridge"),
                         [](const auto& mode) { return std::string(mode.param); });

class PolicyDrops : public PolicyDenied {
 protected:
  PolicyDrops() : PolicyDenied("ebpf", {}) {}
};

TEST_F(PolicyDrops, WhatAPodMayNotSendInSilence) {
  close("Egress");

  for (const std::size_t to : {1, 2})
    for (const int family : {AF_INET, AF_INET6})
      EXPECT_EQ(connect(0, to, family, kSecondSyn), ETIMEDOUT) << "to pod " << to;
}

}  // namespace
}  // namespace kubecni::test
