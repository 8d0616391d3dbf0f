// The limit of what a pod sends, where eBPF carries it: departure times, and one clock for both
// paths.
#include "conntrack.hpp"
#include "fixture.hpp"

#include <linux/if_ether.h>

#include <chrono>
#include <initializer_list>

namespace kubecni::test {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

/// So slow that the time that a test takes does not count.
constexpr std::uint64_t kBytesPerSecond = 10;
constexpr auto kLong = 24h;

class Pace : public BothFamilies {
 protected:
  static Frame to_node() { return frame_at(kFromPod, {.dst = family().remote_pod}); }
  static Frame to_outside() { return frame_at(kFromPod, {.dst = family().outside}); }
  static Frame to_pod_b() {
    return frame_at(kFromPod, {.dst_mac = kPodBMac, .dst = family().pod_b});
  }
  Passage send(const Frame& frame, Metadata metadata = {}) {
    return run(kFromPod, frame, metadata);
  }

  /// What the rate gives the bytes.
  static nanoseconds time_of(std::uint64_t bytes) {
    return nanoseconds(bytes * std::nano::den / kBytesPerSecond);
  }
  static std::uint64_t in(nanoseconds time) {
    const nanoseconds now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>((now + time).count());
  }
  static bool leaves_at_once(const Passage& passage) {
    return passage.departure_ns != 0 &&
           nanoseconds(passage.departure_ns) <= std::chrono::steady_clock::now().time_since_epoch();
  }
  static nanoseconds between(const Passage& first, const Passage& second) {
    return nanoseconds(second.departure_ns - first.departure_ns);
  }
};

TEST_P(Pace, PacketsToAnotherNodeLeaveAsTheRateAllows) {
  limit_pod_a({.rate = kBytesPerSecond, .queue = kLong});

  const Passage first = send(to_node()), second = send(to_node()), third = send(to_node());

  for (const Passage* each : {&first, &second, &third})
    EXPECT_EQ(each->reason, KUBECNI_FAST_TO_NODE);
  EXPECT_TRUE(leaves_at_once(first));
  EXPECT_FALSE(leaves_at_once(second));
  EXPECT_EQ(between(second, third), time_of(to_node().size()));
}

TEST_P(Pace, ABurstLeavesAtOnceAfterAPause) {
  const nanoseconds of_one = time_of(to_node().size());
  limit_pod_a({.rate = kBytesPerSecond, .burst = of_one + of_one / 2, .queue = kLong});

  EXPECT_TRUE(leaves_at_once(send(to_node())));
  EXPECT_TRUE(leaves_at_once(send(to_node())));
  EXPECT_FALSE(leaves_at_once(send(to_node())));
}

TEST_P(Pace, ALaterTimeOfThePodsOwnCounts) {
  limit_pod_a({.rate = kBytesPerSecond, .queue = kLong});
  const std::uint64_t in_an_hour = in(1h);

  EXPECT_EQ(send(to_node(), {.departure_ns = in_an_hour}).departure_ns, in_an_hour);
  EXPECT_LT(send(to_node()).departure_ns, in_an_hour) << "it is no debt for others";
}

TEST_P(Pace, AnEarlierTimeOfThePodsOwnDoesNotCount) {
  limit_pod_a({.rate = kBytesPerSecond, .queue = kLong});
  (void)send(to_node());
  const Passage second = send(to_node(), {.departure_ns = in(0h)});

  EXPECT_EQ(between(second, send(to_node())), time_of(to_node().size()));
}

TEST_P(Pace, ThePodCannotFillFqByItsOwnTimes) {
  constexpr auto kQueue = 10s;
  limit_pod_a({.rate = kBytesPerSecond, .queue = kQueue});

  const Passage passage = send(to_node(), {.departure_ns = in(kLong)});

  EXPECT_LE(passage.departure_ns, in(kQueue));
  EXPECT_GT(passage.departure_ns, in(0s)) << "it is not sent early";
}

TEST_P(Pace, OnTheKernelPathThePodsOwnTimesDoNotCount) {
  limit_pod_a({.rate = kBytesPerSecond, .queue = kLong});

  for (const Frame& frame : {to_outside(), to_pod_b()})
    EXPECT_EQ(send(frame, {.departure_ns = in(1h)}).departure_ns, 0u);
}

TEST_P(Pace, WhatTakesTheKernelPathMovesTheClockToo) {
  limit_pod_a({.rate = kBytesPerSecond, .queue = kLong});
  (void)send(to_node());
  const Passage before = send(to_node());

  for (const Frame& frame : {to_outside(), to_pod_b()}) {
    const Passage passage = send(frame);
    EXPECT_EQ(passage.verdict, KUBECNI_VERDICT_PASS);
    EXPECT_EQ(passage.departure_ns, 0u) << "it waits in the kernel's discipline";
  }

  EXPECT_EQ(between(before, send(to_node())),
            time_of(to_node().size() + to_outside().size() + to_pod_b().size()));
}

TEST_P(Pace, WhatWouldWaitTooLongIsDroppedOnBothPaths) {
  limit_pod_a({.rate = kBytesPerSecond});
  (void)send(to_node());
  (void)send(to_outside());

  for (const Frame& frame : {to_node(), to_outside(), to_pod_b()})
    EXPECT_EQ(send(frame).reason, KUBECNI_DROP_OVER_LIMIT);
}

TEST_P(Pace, NoPathTakesTheRoomOfTheOtherOne) {
  const std::size_t size = to_node().size();
  for (const bool ebpf_first : {true, false}) {
    SCOPED_TRACE(ebpf_first);
    const Frame first = ebpf_first ? to_node() : to_outside();
    const Frame second = ebpf_first ? to_outside() : to_node();
    const auto passed = [&](const Frame& frame, int times) {
      int count = 0;
      for (int i = 0; i < times; ++i) count += send(frame).reason != KUBECNI_DROP_OVER_LIMIT;
      return count;
    };
    must(dataplane().pods.endpoints.pacers().erase(pod_a().ifindex));  // with its clocks
    limit_pod_a({.rate = kBytesPerSecond, .queue = time_of(size) * 15 / 2});

    EXPECT_EQ(passed(first, 12), 8) << "all that has room";
    EXPECT_NEAR(passed(second, 12), 4, 1) << "half of it";
    EXPECT_EQ(passed(first, 12), 0) << "it has had more than its half";
  }
}

TEST_P(Pace, WhatIsDroppedDoesNotMoveTheClock) {
  limit_pod_a({.rate = kBytesPerSecond, .queue = time_of(to_node().size()) * 5 / 2});
  (void)send(to_node());
  const Passage second = send(to_node());
  const Passage third = send(to_node());
  EXPECT_EQ(between(second, third), time_of(to_node().size()));
  EXPECT_EQ(send(to_node()).reason, KUBECNI_DROP_OVER_LIMIT);

  const auto clock = must(dataplane().pods.endpoints.pacers().find(pod_a().ifindex))->clock_ns;

  EXPECT_EQ(nanoseconds(clock - third.departure_ns), time_of(to_node().size()));
}

TEST_P(Pace, EachSegmentCountsWithItsHeaders) {
  limit_pod_a({.rate = kBytesPerSecond, .queue = kLong});
  (void)send(to_node());
  constexpr std::uint64_t kSegment = 1200, kSegments = 3;
  const std::uint64_t headers = ETH_HLEN + family().ip_header + 20 + 12;
  const Frame large =
      frame_at(kFromPod, {.dst = family().remote_pod, .payload_bytes = kSegments * kSegment + 12});

  const Passage before = send(large, {.gso_size = kSegment});
  const Passage after = send(to_node());

  EXPECT_EQ(before.reason, KUBECNI_FAST_TO_NODE);
  EXPECT_EQ(between(before, after), time_of(large.size() + (kSegments - 1) * headers));
}

TEST_P(Pace, SegmentsOfOneByteCountAsTheyAre) {
  limit_pod_a({.rate = kBytesPerSecond, .queue = kLong});
  (void)send(to_node());
  const Frame hostile = frame_at(kFromPod, {.dst = family().remote_pod, .payload_bytes = 1000});

  const Passage before = send(hostile, {.gso_size = 1});
  const Passage after = send(to_node());

  const std::uint64_t longest = ETH_HLEN + family().ip_header + 60;
  EXPECT_GE(between(before, after), time_of(900 * (longest + 1)));
}

TEST_P(Pace, WhereNoDeviceKeepsDepartureTimesTheKernelHasThePacket) {
  limit_pod_a({.rate = kBytesPerSecond, .queue = kLong});
  must(dataplane().pacing_devices.erase(nic().ifindex));

  EXPECT_THAT(send(to_node()), LeftToKernel(KUBECNI_PASS_SHAPED));
  EXPECT_THAT(send(frame_at(kFromPod, {.dst = family().tunnel_pod})),
              LeftToKernel(KUBECNI_PASS_SHAPED))
      << "the tunnel device chooses the NIC";
}

TEST_P(Pace, WhatTheTunnelsDeviceSendsIsPacedIfItsWayIsKnown) {
  limit_pod_a({.rate = kBytesPerSecond, .queue = kLong});
  const IpNet cidr = IpNet::parse(family().tunnel_cidr).value();
  auto node = must(dataplane().node_cidrs.find(cidr)).value();
  node.outer_ifindex = nic().ifindex;
  must(dataplane().node_cidrs.set(cidr, node));
  const Frame frame = frame_at(kFromPod, {.dst = family().tunnel_pod});
  (void)send(frame);

  const Passage passage = send(frame);

  EXPECT_EQ(passage.reason, KUBECNI_FAST_TO_TUNNEL);
  EXPECT_EQ(passage.out.size(), frame.size()) << "without a route, the device makes the header";
  EXPECT_FALSE(leaves_at_once(passage));
}

TEST_P(Pace, WhatNetfilterTranslatesIsPacedOrTheKernels) {
  limit_pod_a({.rate = kBytesPerSecond, .queue = kLong});
  add_connection({.family = family(),
                  .protocol = IPPROTO_UDP,
                  .src = family().pod_a,
                  .dst = family().remote_pod,
                  .src_port = 40000,
                  .dst_port = 8080,
                  .translated_dst = family().other_remote_pod});
  (void)send(to_node());

  const Passage passage = send(to_node());
  EXPECT_EQ(passage.reason, KUBECNI_FAST_TRANSLATED_TO_HOST);
  EXPECT_FALSE(leaves_at_once(passage));

  must(dataplane().pacing_devices.erase(nic().ifindex));
  EXPECT_THAT(send(to_node()), LeftToKernel(KUBECNI_PASS_SHAPED));
  EXPECT_THAT(send(to_node()), LeftToKernel(KUBECNI_PASS_NO_WAY)) << "conntrack is not asked again";
  forget_connections();
}

TEST_P(Pace, WithoutItsPacerTheKernelHasWhatThePodSends) {
  limit_pod_a({.rate = kBytesPerSecond, .queue = kLong});
  must(dataplane().pods.endpoints.pacers().erase(pod_a().ifindex));
  EXPECT_THAT(send(to_node()), LeftToKernel(KUBECNI_PASS_SHAPED));

  limit_pod_a({.rate = kBytesPerSecond, .queue = kLong});
  must(dataplane().node_config.set_has_pacers(false));
  EXPECT_THAT(send(to_node()), LeftToKernel(KUBECNI_PASS_SHAPED));
}

TEST_P(Pace, PodsOfOneNodeUseTheKernelPathInBothDirections) {
  limit_pod_a({.rate = kBytesPerSecond, .queue = kLong});

  EXPECT_THAT(send(to_pod_b()), LeftToKernel(KUBECNI_PASS_SHAPED));
  EXPECT_THAT(run(kFromPod, pod_b(),
                  frame_at(kFromPod, {.dst_mac = kPodAMac,
                                      .src_mac = kPodBMac,
                                      .src = family().pod_b,
                                      .dst = family().pod_a})),
              LeftToKernel(KUBECNI_PASS_SHAPED));
}

TEST_P(Pace, WhatComesFromAnotherNodeIsNotDelayed) {
  limit_pod_a({.rate = kBytesPerSecond});
  for (int i = 0; i < 3; ++i) {
    const Passage passage = run(kFromWire, frame_at(kFromWire, {}));
    EXPECT_EQ(passage.reason, KUBECNI_FAST_FROM_WIRE);
    EXPECT_EQ(passage.departure_ns, 0u);
    EXPECT_EQ(passage.mark, 0u);
  }

  limit_pod_a({.rate = kBytesPerSecond}, Shaped::kBoth);
  EXPECT_EQ(run(kFromWire, frame_at(kFromWire, {})).mark, KUBECNI_MARK_FAST)
      << "through the limit of what it receives";
}

TEST_P(Pace, OtherPodsHaveNoLimit) {
  limit_pod_a({.rate = kBytesPerSecond});
  const Frame frame = frame_at(kFromPod, {.src_mac = kPodBMac, .src = family().pod_b});
  for (int i = 0; i < 3; ++i) {
    const Passage passage = run(kFromPod, pod_b(), frame);
    EXPECT_EQ(passage.reason, KUBECNI_FAST_TO_NODE);
    EXPECT_EQ(passage.departure_ns, 0u);
  }
}

TEST_P(Pace, AnEntryThatIsRightKeepsItsClock) {
  const Pacer pacer{.rate = kBytesPerSecond, .queue = kLong};
  limit_pod_a(pacer);
  (void)send(to_node());
  const Passage before = send(to_node());

  limit_pod_a(pacer);
  EXPECT_EQ(between(before, send(to_node())), time_of(to_node().size()));

  limit_pod_a({.rate = kBytesPerSecond * 2, .queue = kLong});
  EXPECT_TRUE(leaves_at_once(send(to_node()))) << "another limit begins anew";
}

KUBECNI_FOR_BOTH_FAMILIES(Pace);

}  // namespace
}  // namespace kubecni::test
