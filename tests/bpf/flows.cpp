#include "flows.hpp"

#include "dataplane/map_generation.hpp"
#include "dataplane/pins.hpp"

#include <algorithm>
#include <ctime>

namespace kubecni::test {

namespace {

std::uint64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kSecond + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

void FlowTest::SetUp() {
  BothFamilies::SetUp();
  if (IsSkipped()) return;
  if (!must(dataplane().programs.asks_conntrack()))
    GTEST_SKIP() << "the kernel's conntrack cannot be asked";
  forget_connections();
}

Passage FlowTest::client_sends(std::uint8_t protocol) {
  return run(kFromPod, frame_at(kFromPod, request(protocol)));
}

Passage FlowTest::server_answers(std::uint8_t protocol) {
  return run(kFromWire, frame_at(kFromWire, answer(protocol)));
}

Passage FlowTest::kernel_sends(std::uint8_t protocol) {
  return run(kToWire, frame_at(kToWire, request(protocol)));
}

IpPacket FlowTest::request(std::uint8_t protocol) {
  return {.src = family().pod_a,
          .dst = family().remote_pod,
          .protocol = protocol,
          .src_port = 7000,
          .dst_port = 8080};
}

IpPacket FlowTest::answer(std::uint8_t protocol) {
  return {.src = family().remote_pod,
          .dst = family().pod_a,
          .protocol = protocol,
          .src_port = 8080,
          .dst_port = 7000};
}

Connection FlowTest::plain(std::uint8_t protocol) {
  return {.family = family(),
          .protocol = protocol,
          .src = family().pod_a,
          .dst = family().remote_pod,
          .dst_port = 8080};
}

Connection FlowTest::to_service(std::uint8_t protocol) {
  return {.family = family(),
          .protocol = protocol,
          .src = family().pod_a,
          .dst = family().outside,
          .translated_dst = family().remote_pod};
}

std::vector<unsigned> FlowTest::owners() {
  std::vector<unsigned> found;
  for (const auto& [flow, state] : flows()) found.push_back(state.owner);
  return found;
}

unsigned FlowTest::generation() {
  return must(MapGeneration::open(PinPaths(bpffs()).maps)).number();
}

void FlowTest::age_flows(std::uint64_t ns) {
  for (auto [flow, state] : flows()) {
    state.decided_ns = now_ns() - ns;
    set_flow(flow, state);
  }
}

}  // namespace kubecni::test
