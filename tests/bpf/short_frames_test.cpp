// Frames that end inside their IP header. BPF_PROG_TEST_RUN refuses them, so they go through the
// real hooks of a veth.
#include "fixture.hpp"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <chrono>

namespace kubecni::test {
namespace {

class ShortFrames : public BothFamilies {
 protected:
  void TearDown() override {
    if (device_.ifindex != 0) remove_device(device_);
  }

  /// A device whose packets all run through the programs.
  template <typename Attach>
  void make_device(Attach attach) {
    device_ = add_device("short", MacAddr::parse(kNicMac).value());
    must(attach(device_));
  }

  /// Sends each beginning of `frame` that is shorter than an IP header, to the device or out of it,
  /// and waits until `reason` was counted for each.
  void expect_counted(const Frame& frame, const std::string& from, kubecni_exit_reason reason) {
    const auto before = exit_counts()[reason].packets;

    send_beginnings(frame, ::if_nametoindex(from.c_str()));

    const auto end = std::chrono::steady_clock::now() + kDeadline;
    while (exit_counts()[reason].packets - before < family().ip_header)
      ASSERT_LT(std::chrono::steady_clock::now(), end) << kExitReasons.at(reason).name;
  }

 private:
  static void send_beginnings(const Frame& frame, unsigned ifindex) {
    const UniqueFd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(ifindex);
    for (std::size_t size = ETH_HLEN; size < ETH_HLEN + family().ip_header; ++size)
      EXPECT_EQ(::sendto(socket.get(), frame.data(), size, 0,
                         reinterpret_cast<const sockaddr*>(&to), sizeof(to)),
                static_cast<ssize_t>(size));
  }

  Device device_;
};

TEST_P(ShortFrames, OfAPodAreDropped) {
  make_device([](const Device& pod) { return dataplane().pods.attach(pod); });

  expect_counted(frame_at(kFromPod, {}), "short_peer", KUBECNI_DROP_SHORT_PACKET);
}

TEST_P(ShortFrames, ToAPodPass) {
  make_device([](const Device& pod) { return dataplane().pods.attach(pod); });

  expect_counted(frame_at(kToPod, {}), "short", KUBECNI_KERNEL_TO_POD);
}

TEST_P(ShortFrames, FromTheWireAreLeftToTheKernel) {
  make_device([](const Device& nic) { return dataplane().programs.attach(KUBECNI_ON_WIRE, nic); });

  expect_counted(frame_at(kFromWire, {}), "short_peer", KUBECNI_PASS_NOT_IP);
}

TEST_P(ShortFrames, ToTheWirePass) {
  make_device([](const Device& nic) { return dataplane().programs.attach(KUBECNI_ON_WIRE, nic); });

  expect_counted(frame_at(kToWire, {}), "short", KUBECNI_KERNEL_TO_WIRE_OTHER);
}

KUBECNI_FOR_BOTH_FAMILIES(ShortFrames);

}  // namespace
}  // namespace kubecni::test
