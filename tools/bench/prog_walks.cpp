#include "bench/prog_walks.hpp"

#include "bench/prog_caller.hpp"
#include "bench/prog_node.hpp"
#include "net/udp_packet.hpp"

#include <bpf/bpf.h>

#include <linux/if_ether.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

namespace kubecni::bench {

namespace {

using Frame = std::vector<std::uint8_t>;

// Each run spends one of a packet's 64 hops, and the last one would be left to the kernel.
constexpr unsigned kRunsACall = 60;
constexpr std::size_t kPayload = 18;
constexpr const char* kForeignMac = "00:00:5e:00:53:ff";

struct Macs {
  const char* dst;
  const char* src;
};
constexpr Macs kFromPodA{kGatewayMac, kPodAMac};
constexpr Macs kToNic{kNicMac, kForeignMac};

/// What each packet of a walk is for its flow.
enum class Packets {
  kSame,     ///< the same frame again and again: the program leaves it such that it may come again
  kOfAFlow,  ///< a new frame each: the program changes it
  kFirst,    ///< the first of a flow each
};

/// One row. The packet is UDP from `src` to `dst`; without them, ARP.
struct Walk {
  const char* program;
  const char* name;
  kubecni_exit_reason exit;
  Macs macs = kFromPodA;
  const char* src = nullptr;
  const char* dst = nullptr;
  Beside beside = Beside::kNothing;
  Packets packets = Packets::kSame;
  /// Netfilter translates what pod A sends to a service, so that it reaches this address. The
  /// packets are of such a flow.
  const char* backend = nullptr;
  bool is_answer = false;  ///< from the backend, or else to the service
  const WalkAddresses* at = nullptr;
};

std::vector<Walk> walks_of(const WalkAddresses& at) {
  const Macs to_pod_b{kPodBMac, kPodAMac}, from_gateway{kPodAMac, kGatewayMac};
  std::vector<Walk> walks{
      {"from_pod", "to a pod of the node", KUBECNI_FAST_TO_LOCAL_POD, to_pod_b, at.pod_a, at.pod_b},
      {"from_pod", "to a pod of the node, first of a flow", KUBECNI_FAST_TO_LOCAL_POD, to_pod_b,
       at.pod_a, at.pod_b, Beside::kNothing, Packets::kFirst},
      {"from_pod", "to a node, direct", KUBECNI_FAST_TO_NODE, kFromPodA, at.pod_a, at.direct_pod},
      {"from_pod", "to a node, direct, first of a flow", KUBECNI_FAST_TO_NODE, kFromPodA, at.pod_a,
       at.direct_pod, Beside::kNothing, Packets::kFirst},
      {"from_pod", "to a node, tunnel", KUBECNI_FAST_TO_TUNNEL, kFromPodA, at.pod_a, at.wrapped_pod,
       Beside::kNothing, Packets::kOfAFlow},
      {"from_pod", "to a node, tunnel, first of a flow", KUBECNI_FAST_TO_TUNNEL, kFromPodA,
       at.pod_a, at.wrapped_pod, Beside::kNothing, Packets::kFirst},
      {"from_pod", "to a node, by the tunnel device", KUBECNI_FAST_TO_TUNNEL, kFromPodA, at.pod_a,
       at.tunnel_pod},
      {"from_pod", "translated, to a pod of the node", KUBECNI_FAST_TRANSLATED_TO_POD, kFromPodA,
       at.pod_a, at.outside, Beside::kNothing, Packets::kOfAFlow, at.pod_b},
      {"from_pod", "translated, to a node, direct", KUBECNI_FAST_TRANSLATED_TO_HOST, kFromPodA,
       at.pod_a, at.outside, Beside::kNothing, Packets::kOfAFlow, at.direct_pod},
      {"from_pod", "translated, to a node, tunnel", KUBECNI_FAST_TRANSLATED_TO_HOST, kFromPodA,
       at.pod_a, at.outside, Beside::kNothing, Packets::kOfAFlow, at.wrapped_pod},
      {"from_pod", "left: outside of the cluster", KUBECNI_PASS_NO_NODE, kFromPodA, at.pod_a,
       at.outside},
      {"from_pod", "left: to a shaped pod", KUBECNI_PASS_SHAPED, to_pod_b, at.pod_a, at.shaped_pod},
      {"from_pod", "dropped: foreign source address", KUBECNI_DROP_SPOOFED_IP, kFromPodA, at.pod_b,
       at.direct_pod},
      {"to_pod", "kernel path, between pods", KUBECNI_KERNEL_TO_POD, from_gateway, at.direct_pod,
       at.pod_a},
      {"to_pod", "kernel path, from outside", KUBECNI_KERNEL_TO_POD, from_gateway, at.outside,
       at.pod_a},
      {"to_wire", "sent by from_pod", KUBECNI_FAST_SENT_TO_WIRE, kToNic, at.pod_a, at.direct_pod,
       Beside::kFastMark},
      {"to_wire", "kernel path, between pods", KUBECNI_KERNEL_TO_WIRE, kToNic, at.pod_a,
       at.direct_pod},
      {"to_wire", "kernel path, to outside", KUBECNI_KERNEL_TO_WIRE_OTHER, kToNic, at.pod_a,
       at.outside},
      {"from_wire", "into a pod", KUBECNI_FAST_FROM_WIRE, kToNic, at.direct_pod, at.pod_a},
      {"from_wire", "translated back, into a pod", KUBECNI_FAST_TRANSLATED_TO_POD, kToNic,
       at.direct_pod, at.pod_a, Beside::kNothing, Packets::kOfAFlow, at.direct_pod, true},
      {"from_wire", "left: not to a pod", KUBECNI_PASS_NO_ENDPOINT, kToNic, at.outside, at.outside},
      {"from_wire", "left: from outside", KUBECNI_PASS_NOT_FROM_POD, kToNic, at.outside, at.pod_a},
      {"to_tunnel", "sent by from_pod", KUBECNI_FAST_SENT_TO_TUNNEL, kToNic, at.pod_a,
       at.tunnel_pod, Beside::kFastMark},
      {"to_tunnel", "kernel path, between pods", KUBECNI_KERNEL_TO_TUNNEL, kToNic, at.pod_a,
       at.tunnel_pod},
      {"from_tunnel", "into a pod", KUBECNI_FAST_FROM_TUNNEL, kToNic, at.tunnel_pod, at.pod_a,
       Beside::kTunnelKey},
      {"from_tunnel", "dropped: not from a node", KUBECNI_DROP_TUNNEL_SOURCE, kToNic, at.tunnel_pod,
       at.pod_a}};
  for (Walk& walk : walks) walk.at = &at;
  return walks;
}

std::vector<Walk> all_walks() {
  std::vector<Walk> walks;
  for (const WalkAddresses& at : kWalkAddresses)
    std::ranges::copy(walks_of(at), std::back_inserter(walks));
  walks.push_back({"from_pod", "left: ARP for the gateway", KUBECNI_PASS_ARP});
  return walks;
}

void put_mac(Frame& frame, const char* text) {
  std::ranges::copy(MacAddr::parse(text).value().bytes, std::back_inserter(frame));
}

void put_address(Frame& frame, const char* text) {
  const IpAddr addr = IpAddr::parse(text).value();
  frame.insert(frame.end(), addr.data(), addr.data() + addr.bytes());
}

void put_16(Frame& frame, unsigned value) {
  frame.push_back(static_cast<std::uint8_t>(value >> 8));
  frame.push_back(static_cast<std::uint8_t>(value));
}

/// RFC 826, a request of pod A.
Frame arp_frame() {
  Frame frame;
  put_mac(frame, "ff:ff:ff:ff:ff:ff");
  put_mac(frame, kPodAMac);
  for (const unsigned value : {ETH_P_ARP, 1, ETH_P_IP, 0x0604, 1}) put_16(frame, value);
  put_mac(frame, kPodAMac);
  put_address(frame, kWalkAddresses[0].pod_a);
  put_mac(frame, "00:00:00:00:00:00");
  put_address(frame, "192.0.2.1");
  return frame;
}

UdpPorts ports_of(const Walk& walk, std::uint16_t own) {
  if (walk.is_answer) return {.from = kBackendPort, .to = own};
  return {.from = own, .to = walk.backend ? kServicePort : kBackendPort};
}

/// `port`: of the flow, on pod A's side.
Frame frame_of(const Walk& walk, std::uint16_t port) {
  if (!walk.src) return arp_frame();
  Frame frame;
  put_mac(frame, walk.macs.dst);
  put_mac(frame, walk.macs.src);
  const IpAddr from = IpAddr::parse(walk.src).value(), to = IpAddr::parse(walk.dst).value();
  put_16(frame, to.is_v4() ? ETH_P_IP : ETH_P_IPV6);
  const std::array<std::uint8_t, kPayload> payload{};
  std::ranges::copy(udp_packet(from, to, ports_of(walk, port), payload), std::back_inserter(frame));
  return frame;
}

/// The nanoseconds of each run, as the kernel has measured them.
Result<double> run(int prog_fd, const Device& device, const Frame& frame, unsigned runs) {
  __sk_buff skb{};
  skb.ifindex = device.ifindex;
  LIBBPF_OPTS(bpf_test_run_opts, opts);
  opts.data_in = frame.data();
  opts.data_size_in = static_cast<__u32>(frame.size());
  opts.ctx_in = &skb;
  opts.ctx_size_in = sizeof(skb);
  opts.repeat = static_cast<int>(runs);
  if (bpf_prog_test_run_opts(prog_fd, &opts) != 0) return sys_error(errno, "BPF_PROG_TEST_RUN");
  return static_cast<double>(opts.duration);
}

/// Whether `packets` packets left by this exit and none by another.
Result<> check_exit(const Walk& walk, const ExitCounts& before, const ExitCounts& after,
                    std::uint64_t packets) {
  std::string others;
  for (std::size_t reason = 0; reason < after.size(); ++reason) {
    const auto count = after[reason].packets - before[reason].packets;
    if (count != (reason == walk.exit ? packets : 0))
      others += std::string(" ") + kExitReasons[reason].name + "+" + std::to_string(count);
  }
  if (others.empty()) return {};
  return failure(EIO, std::string(walk.program) + ", " + walk.name + ": " +
                          std::to_string(packets) + " packets should all leave by " +
                          kExitReasons[walk.exit].name + ", but:" + others);
}

/// Measures the walks one by one. Each has its own flow, or flows.
class WalkTimer {
 public:
  WalkTimer(const ProgNode& node, const WalkOptions& options) : node_(&node), options_(options) {}

  Result<WalkTime> time(const Walk& walk) {
    auto program = node_->open_program(walk.program);
    if (!program) return fail(program);
    std::optional<ProgCaller> caller;
    double by_itself = 0;
    if (walk.beside != Beside::kNothing || walk.packets != Packets::kSame) {
      auto made = ProgCaller::create(walk.beside, outer_source(), kWalkVni);
      if (!made) return fail(made);
      auto cost = cost_of(*made, walk);
      if (!cost) return fail(cost);
      by_itself = *cost;
      if (auto set = made->call(program->get()); !set) return fail(set);
      caller = std::move(*made);
    }
    const int fd = caller ? caller->fd() : program->get();
    // What is loaded and known by now is not measured.
    if (auto warm = samples_of(fd, walk, 3); !warm) return fail(warm);
    auto before = node_->exit_counts();
    if (!before) return fail(before);
    auto samples = samples_of(fd, walk, options_.calls);
    if (!samples) return fail(samples);
    auto after = node_->exit_counts();
    if (!after) return fail(after);
    const std::uint64_t packets = std::uint64_t{options_.calls} * runs_of(walk);
    if (auto right = check_exit(walk, *before, *after, packets); !right) return fail(right);
    for (double& ns : *samples) ns = std::max(0.0, ns - by_itself);
    return WalkTime{walk.program, walk.at ? walk.at->name : "", walk.name,
                    kExitReasons[walk.exit].name, summarize(std::move(*samples))};
  }

 private:
  static unsigned runs_of(const Walk& walk) {
    return walk.packets == Packets::kSame ? kRunsACall : 1;
  }

  static std::uint32_t outer_source() {
    const IpAddr node = IpAddr::parse(kWalkAddresses[0].tunnel_node).value();
    std::uint32_t value = 0;
    for (unsigned i = 0; i < 4; ++i) value = value << 8 | node.data()[i];
    return value;
  }

  Result<double> cost_of(ProgCaller& caller, const Walk& walk) {
    if (auto set = caller.call_nothing(); !set) return fail(set);
    auto samples = samples_of(caller.fd(), walk, options_.calls);
    if (!samples) return fail(samples);
    return summarize(std::move(*samples)).median;
  }

  Result<std::vector<double>> samples_of(int fd, const Walk& walk, unsigned calls) {
    std::vector<double> samples;
    ++port_;
    if (walk.backend)
      if (auto made = ProgNode::translate(*walk.at, port_, walk.backend); !made) return fail(made);
    for (unsigned call = 0; call < calls; ++call) {
      if (walk.packets == Packets::kFirst) ++port_;
      auto ns = run(fd, node_->device_of(walk.program), frame_of(walk, port_), runs_of(walk));
      if (!ns) return fail(ns, walk.program);
      samples.push_back(*ns);
    }
    return samples;
  }

  const ProgNode* node_;
  WalkOptions options_;
  std::uint16_t port_ = 10000;
};

}  // namespace

Result<std::vector<WalkTime>> time_walks(const WalkOptions& options) {
  auto node = ProgNode::create(options.more_nodes);
  if (!node) return fail(node);
  WalkTimer timer(*node, options);
  std::vector<WalkTime> times;
  for (const Walk& walk : all_walks()) {
    auto time = timer.time(walk);
    if (!time) return fail(time);
    times.push_back(std::move(*time));
  }
  return times;
}

}  // namespace kubecni::bench
