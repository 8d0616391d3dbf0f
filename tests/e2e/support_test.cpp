// The tests' own tools: traffic, captures and wires show what they should.

#include "expect.hpp"
#include "support/broken_offload_wire.hpp"
#include "support/capture.hpp"
#include "support/traffic.hpp"
#include "support/underlay.hpp"

namespace kubecni::test {
namespace {

using Argv = std::vector<std::string>;

class Traffic : public testing::TestWithParam<int> {
 protected:
  Traffic() {
    underlay.connect(one, 1, 1);
    underlay.connect(other, 2, 2);
  }

  Underlay underlay{Families::kDual, 2};
  NetNs one{"one"};
  NetNs other{"other"};
  IpAddr to = Underlay::address(2, 2, GetParam());
  IpAddr from = Underlay::address(1, 1, GetParam());
};

TEST_P(Traffic, CrossesTheRouter) {
  EXPECT_TRUE(ok(ping(one, to)));
  EXPECT_TRUE(ok(udp_echo(one, other, to)));
  EXPECT_TRUE(ok(tcp_transfer(one, other, to)));
  EXPECT_TRUE(ok(ping(underlay.outside, from)));
  EXPECT_EQ(underlay.leaked(), 0u);
}

TEST_P(Traffic, SaysWhoseAddressWasSeen) {
  EXPECT_EQ(udp_echo({.client = one, .server = other, .to = to, .source_port = 7777}).value(),
            from);
  EXPECT_EQ(TcpConnection({.client = one, .server = other, .to = to}).client_address(), from);
}

TEST_P(Traffic, TellsARefusalFromSilence) {
  EXPECT_TRUE(ok(udp_refused(one, to)));
  Node::must_run_in(other, {"nft",
                            "table inet t { chain i { type filter hook input priority 0;"
                            " meta l4proto udp drop; }; }"});
  EXPECT_EQ(udp_refused(one, to).error().code, ETIMEDOUT);
}

TEST_P(Traffic, AConnectionGoesOnFromEitherSide) {
  TcpConnection connection({.client = one, .server = other, .to = to, .source_port = 7777});

  EXPECT_TRUE(ok(connection.client_sends()));
  EXPECT_TRUE(ok(connection.server_sends()));
  EXPECT_TRUE(ok(connection.server_sends(1)));
  EXPECT_TRUE(ok(connection.client_sends(1 << 20)));
}

TEST_P(Traffic, ATransferThatLastsUntilItIsFinishedGoesOnAfterACut) {
  TcpTransfer transfer({.client = one,
                        .server = other,
                        .to = to,
                        .bytes = TcpTransfer::kUntilFinish,
                        .bytes_per_second = 16 << 20});
  ASSERT_TRUE(eventually([&] { return transfer.bytes_received() > 0; }));

  Node::must_run_in(underlay.router, {"ip", "link", "set", "eth1", "down"});
  Node::must_run_in(underlay.router, {"ip", "link", "set", "eth1", "up"});
  if (GetParam() == AF_INET6)  // went with the link
    Node::must_run_in(underlay.router,
                      {"ip", "addr", "add", "2001:db8:2::fe/64", "dev", "eth1", "nodad"});
  const auto after_the_cut = transfer.bytes_received();

  EXPECT_TRUE(ok(transfer.finish()));
  EXPECT_GT(transfer.bytes_received(), after_the_cut);
}

TEST_P(Traffic, ATransferThatIsCutOffForGoodFails) {
  TcpTransfer transfer({.client = one,
                        .server = other,
                        .to = to,
                        .bytes = TcpTransfer::kUntilFinish,
                        .bytes_per_second = 16 << 20,
                        .deadline = std::chrono::seconds(1)});
  ASSERT_TRUE(eventually([&] { return transfer.bytes_received() > 0; }));

  Node::must_run_in(underlay.router, {"ip", "link", "set", "eth1", "down"});

  const auto finished = transfer.finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, ETIMEDOUT);
}

TEST_P(Traffic, RouterDropsAndCountsPodAddresses) {
  const bool v4 = GetParam() == AF_INET;
  const std::string pod = v4 ? "10.200.1.2" : "fd00:10:1::2";
  Node::must_run_in(one, {"ip", "addr", "add", pod, "dev", "lo"});

  EXPECT_FALSE(ping(one, to, IpAddr::parse(pod), std::chrono::milliseconds(200)));
  EXPECT_EQ(underlay.leaked(), 1u);

  underlay.carry(v4 ? "10.200.1.0/24" : "fd00:10:1::/64", from);
  EXPECT_TRUE(ok(ping(one, to, IpAddr::parse(pod))));
  EXPECT_EQ(underlay.leaked(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Family, Traffic, testing::Values(AF_INET, AF_INET6),
                         [](const auto& tested) { return tested.param == AF_INET ? "v4" : "v6"; });

/// Joins two namespaces by a tunnel, as the kernel makes it.
void make_tunnel(const NetNs& netns, const std::string& local, const std::string& remote,
                 const std::string& inside) {
  Node::must_run_in(netns, {"ip", "link", "add", "tunnel", "type", "vxlan", "id", "84", "dstport",
                            "8472", "local", local, "remote", remote, "noudpcsum"});
  Node::must_run_in(netns, {"ip", "addr", "add", inside, "dev", "tunnel"});
  Node::must_run_in(netns, {"ip", "link", "set", "tunnel", "up"});
}

TEST(Capture, ReadsWhatIsInATunnel) {
  Underlay underlay(Families::kV4, 1);
  NetNs one("one");
  NetNs other("other");
  const std::string port = underlay.connect(one, 1, 1);
  underlay.connect(other, 1, 2);
  make_tunnel(one, "192.0.2.1", "192.0.2.2", "10.9.0.1/24");
  make_tunnel(other, "192.0.2.2", "192.0.2.1", "10.9.0.2/24");
  const IpAddr inside = IpAddr::v4({10, 9, 0, 2});
  Capture capture(port);

  EXPECT_TRUE(ok(tcp_transfer(one, other, inside)));

  const auto frames = capture.tunnelled(inside);
  ASSERT_GT(frames.size(), 10u);
  EXPECT_TRUE(capture.plain(inside).empty());
  const WireFrame& frame = frames.front();
  EXPECT_EQ(frame.outer.src.str(), "192.0.2.1") << frame.str();
  EXPECT_EQ(frame.outer.dst.str(), "192.0.2.2") << frame.str();
  EXPECT_EQ(frame.outer.dst_port, 8472) << frame.str();
  EXPECT_EQ(frame.outer.udp_checksum, 0) << frame.str();
  EXPECT_EQ(frame.vni, 84u);
  EXPECT_EQ(frame.inner->dst, inside);
  EXPECT_EQ(frame.inner->dst_port, 5001) << frame.str();
}

TEST(BrokenOffloadWire, SpoilsWhatATunnelLeavesToTheNic) {
  const NetNs one("one");
  const NetNs other("other");
  const BrokenOffloadWire wire(one, {"192.0.2.1/24"}, other, {"192.0.2.2/24"}, 8472);
  make_tunnel(one, "192.0.2.1", "192.0.2.2", "10.9.0.1/24");
  make_tunnel(other, "192.0.2.2", "192.0.2.1", "10.9.0.2/24");
  const IpAddr plain = IpAddr::v4({192, 0, 2, 2});
  const IpAddr inside = IpAddr::v4({10, 9, 0, 2});
  const auto transfer = [&] {
    return TcpTransfer(
               {.client = one, .server = other, .to = inside, .deadline = std::chrono::seconds(3)})
        .finish();
  };

  EXPECT_TRUE(ok(tcp_transfer(one, other, plain)));
  EXPECT_TRUE(ok(ping(one, inside)));
  EXPECT_EQ(wire.spoilt(), 0u);
  EXPECT_FALSE(transfer());
  EXPECT_GT(wire.spoilt(), 0u);

  for (const NetNs* netns : {&one, &other})
    Node::must_run_in(*netns, {"ethtool", "-K", "tunnel", "tx", "off"});
  EXPECT_TRUE(ok(transfer()));
}

}  // namespace
}  // namespace kubecni::test
