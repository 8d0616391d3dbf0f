// A pod lets the kernel write a checksum over its source address, after the address was checked.

#include "cluster.hpp"
#include "support/frame_socket.hpp"
#include "support/traffic.hpp"

namespace kubecni::test {
namespace {

using nlohmann::json;

constexpr std::uint16_t kStart = 20;          // the least that the kernel takes
constexpr std::uint16_t kSourceAt = 14 + 14;  // the lower half of the source address

std::string mac_of(const NetNs& netns, const std::string& link) {
  return json::parse(Node::must_run_in(netns, {"ip", "-j", "link", "show", link}))[0]["address"];
}

/// A datagram of `sender` whose late checksum makes it one of `victim`.
Frame disguised(IpPacket packet, const IpAddr& sender, const IpAddr& victim) {
  // Its header checksum is the one of the victim's packet.
  packet.src = victim.str();
  packet.payload_bytes = 18;
  Frame frame = ip_packet(packet);
  std::copy_n(sender.data(), sender.bytes(), frame.begin() + ETH_HLEN + 12);
  const auto udp_checksum = frame.begin() + ETH_HLEN + 20 + 6;
  std::fill_n(udp_checksum, 2, 0);
  // The last two bytes bring the sum to what the address should be.
  std::fill_n(frame.end() - 2, 2, 0);
  const std::uint16_t sum = internet_checksum(std::span(frame).subspan(kStart));
  const std::uint16_t wanted = static_cast<std::uint16_t>(victim.data()[2] << 8 | victim.data()[3]);
  std::uint32_t filler = sum + (0xffffu - wanted);
  filler = (filler & 0xffff) + (filler >> 16);
  frame[frame.size() - 2] = static_cast<std::uint8_t>(filler >> 8);
  frame[frame.size() - 1] = static_cast<std::uint8_t>(filler);
  return frame;
}

TEST(LateChecksum, MakesNoPacketOfAnotherPod) {
  const Cluster cluster("ebpf");
  const Pod bad = cluster.add_pod(cluster.a, "bad");
  must(ping(bad.netns, cluster.pod_b->address));
  // The node's NIC leaves checksums to the kernel.
  for (const char* device : {"eth0", "cni0"})
    cluster.a.must_run({"ethtool", "-K", device, "tx", "off"});
  std::optional<FrameSocket> from_bad;
  std::optional<FrameSocket> at_receiver;
  bad.netns.enter([&] { from_bad.emplace("eth0"); });
  cluster.pod_b->netns.enter([&] { at_receiver.emplace("eth0"); });
  const IpPacket honest{.dst_mac = mac_of(cluster.a.netns, "cni0"),
                        .src_mac = mac_of(bad.netns, "eth0"),
                        .src = bad.address.str(),
                        .dst = cluster.pod_b->address.str()};
  const Frame lie = disguised(honest, bad.address, cluster.pod_a->address);

  from_bad->send_with_late_checksum(lie, kStart, kSourceAt - kStart);
  from_bad->send_with_late_checksum(ip_packet(honest), 34, 6);

  const Frame first = at_receiver->receive([&](const Frame& frame) {
    return frame.size() > 42 && frame[23] == IPPROTO_UDP && frame[36] == 8080 >> 8;
  });
  ASSERT_FALSE(first.empty());
  EXPECT_TRUE(std::equal(bad.address.data(), bad.address.data() + 4, first.begin() + 26))
      << "a packet of another pod";
}

}  // namespace
}  // namespace kubecni::test
