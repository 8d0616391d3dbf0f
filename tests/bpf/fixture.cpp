#include "fixture.hpp"

#include <bpf/bpf.h>

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <ostream>

void PrintTo(kubecni_exit_reason reason, std::ostream* out) {
  *out << kubecni::kExitReasons.at(reason).name;
}

namespace kubecni::test {

namespace {

using FlowMap = BpfMap<kubecni_flow4, kubecni_flow_state>;

MacAddr mac(const char* text) { return MacAddr::parse(text).value(); }

/// What all tests of the process share: loading takes most of the time.
struct Node {
  static Node& get() {
    static Node node;
    return node;
  }
  Node() : place(PrivateNamespaces::enter()) {
    for (const Hook& hook : kHooks) {
      const auto pin = PinPaths(place.bpffs()).progs / hook.name;
      programs[hook.name] = UniqueFd(bpf_obj_get(pin.c_str()));
    }
  }

  const PrivateNamespaces& place;
  EbpfDataplane dataplane = must(EbpfDataplane::open(place.bpffs(), place.run_dir()));
  FlowMap flows = must(FlowMap::open(PinPaths(place.bpffs()).maps / "kernel_flows4"));
  std::map<std::string, UniqueFd> programs;
  Device pod_a = add_device("pod_a");
  Device pod_b = add_device("pod_b");
  Device nic = add_device("nic", mac(kNicMac));
};

template <typename Map>
void clear(Map& map) {
  for (const auto& [key, value] : must(map.entries())) must(map.erase(key));
}

kubecni_addr4 addr4(const std::string& text) { return to_addr4(IpAddr::parse(text).value()); }

const Device& usual_device(const Hook& hook) {
  const std::string name = hook.name;
  return name == kFromPod.name || name == kToPod.name ? Node::get().pod_a : Node::get().nic;
}

/// The one exit that was counted between two readings.
kubecni_exit_reason counted_exit(const ExitCounts& before, const ExitCounts& after,
                                 std::size_t frame_bytes) {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::size_t last = 0;
  for (std::size_t reason = 0; reason < after.size(); ++reason) {
    packets += after[reason].packets - before[reason].packets;
    bytes += after[reason].bytes - before[reason].bytes;
    if (after[reason].packets != before[reason].packets) last = reason;
  }
  EXPECT_EQ(packets, 1u) << "each packet leaves by exactly one counted exit";
  EXPECT_EQ(bytes, frame_bytes) << "the counters count whole frames";
  return static_cast<kubecni_exit_reason>(last);
}

MATCHER(Unchanged, "has all its bytes as they were") { return arg.out == arg.in; }

testing::Matcher<const Passage&> Left(int verdict, kubecni_exit_reason reason) {
  return testing::AllOf(testing::Field("verdict", &Passage::verdict, verdict),
                        testing::Field("reason", &Passage::reason, reason));
}

}  // namespace

void PrintTo(const Passage& passage, std::ostream* out) {
  *out << "verdict " << passage.verdict << " by " << testing::PrintToString(passage.reason);
  if (passage.out.size() != passage.in.size()) *out << ", of another length";
  const auto changed =
      std::mismatch(passage.in.begin(), passage.in.end(), passage.out.begin(), passage.out.end());
  if (changed.first != passage.in.end())
    *out << ", changed from byte " << changed.first - passage.in.begin() << " on";
}

void BpfTest::SetUp() {
  if (!may_run_bpf()) GTEST_SKIP() << kWhySkipped;
  reset_the_maps();
}

void BpfTest::reset_the_maps() {
  empty_the_maps();
  add_node("192.0.2.0/24", KUBECNI_NODE_LOCAL);
  add_node("198.51.100.0/24", KUBECNI_NODE_DIRECT);
  const auto add_pod = [](const Device& host, const char* address, const char* pod_mac) {
    must(dataplane().add_endpoint({.host = host,
                                   .addresses = {IpAddr::parse(address).value()},
                                   .pod_mac = mac(pod_mac),
                                   .gateway_mac = mac(kGatewayMac)}));
  };
  add_pod(pod_a(), kPodA, kPodAMac);
  add_pod(pod_b(), kPodB, kPodBMac);
}

Passage BpfTest::run_uncounted(const Hook& hook, const Device& device, const Frame& frame,
                               Metadata metadata) {
  __sk_buff skb{};
  skb.ifindex = device.ifindex;
  skb.mark = metadata.mark;
  skb.gso_size = metadata.gso_size;
  Frame out(frame.size() + 256);
  LIBBPF_OPTS(bpf_test_run_opts, opts);
  opts.data_in = frame.data();
  opts.data_size_in = static_cast<__u32>(frame.size());
  opts.data_out = out.data();
  opts.data_size_out = static_cast<__u32>(out.size());
  opts.ctx_in = opts.ctx_out = &skb;
  opts.ctx_size_in = opts.ctx_size_out = sizeof(skb);
  if (bpf_prog_test_run_opts(Node::get().programs.at(hook.name).get(), &opts) != 0)
    must(Result<>(sys_error(errno, std::string("run ") + hook.name)));
  out.resize(opts.data_size_out);
  return {.verdict = static_cast<int>(opts.retval), .in = frame, .out = out, .mark = skb.mark};
}

Passage BpfTest::run(const Hook& hook, const Device& device, const Frame& frame,
                     Metadata metadata) {
  const ExitCounts before = exit_counts();
  Passage passage = run_uncounted(hook, device, frame, metadata);
  passage.reason = counted_exit(before, exit_counts(), frame.size());
  return passage;
}

Passage BpfTest::run(const Hook& hook, const Frame& frame, Metadata metadata) {
  return run(hook, usual_device(hook), frame, metadata);
}

Passage BpfTest::run_uncounted(const Hook& hook, const Frame& frame, Metadata metadata) {
  return run_uncounted(hook, usual_device(hook), frame, metadata);
}

Frame BpfTest::frame_at(const Hook& hook, Ipv4Packet packet) {
  struct Usual {
    const char *dst_mac, *src_mac, *src, *dst;
  };
  static const std::map<std::string, Usual> kUsual{
      {kFromPod.name, {kGatewayMac, kPodAMac, kPodA, kRemotePod}},
      {kToPod.name, {kPodAMac, kGatewayMac, kRemotePod, kPodA}},
      {kFromWire.name, {kNicMac, kRemoteNodeMac, kRemotePod, kPodA}},
      {kToWire.name, {kRemoteNodeMac, kNicMac, kPodA, kRemotePod}},
  };
  const Usual& usual = kUsual.at(hook.name);
  if (packet.dst_mac.empty()) packet.dst_mac = usual.dst_mac;
  if (packet.src_mac.empty()) packet.src_mac = usual.src_mac;
  if (packet.src.empty()) packet.src = usual.src;
  if (packet.dst.empty()) packet.dst = usual.dst;
  return ipv4_packet(packet);
}

void BpfTest::add_node(const std::string& cidr, kubecni_node_kind kind, unsigned mtu) {
  kubecni_node4 node{};
  node.kind = kind;
  if (kind == KUBECNI_NODE_DIRECT) {
    node.egress_ifindex = nic().ifindex;
    std::copy_n(addr4(kRemoteNode).addr, 4, node.next_hop);
    node.mtu = mtu;
  }
  must(dataplane().node_cidrs().set(to_cidr4_key(IpNet::parse(cidr).value()), node));
}

void BpfTest::remove_node(const std::string& cidr) {
  must(dataplane().node_cidrs().erase(to_cidr4_key(IpNet::parse(cidr).value())));
}

void BpfTest::set_flags(const std::string& pod, __u32 flags) {
  auto endpoint = must(dataplane().endpoints().find(addr4(pod))).value();
  endpoint.flags = flags;
  must(dataplane().endpoints().set(addr4(pod), endpoint));
}

void BpfTest::remove_endpoint(const std::string& pod) {
  must(dataplane().endpoints().erase(addr4(pod)));
}

void BpfTest::empty_the_maps() {
  clear(dataplane().node_cidrs());
  clear(dataplane().endpoints());
  clear(dataplane().pod_ifaces());
  clear(Node::get().flows);
}

std::vector<std::pair<kubecni_flow4, kubecni_flow_state>> BpfTest::kernel_flows() {
  return must(Node::get().flows.entries());
}

void BpfTest::set_kernel_flow(const kubecni_flow4& flow, const kubecni_flow_state& state) {
  must(Node::get().flows.set(flow, state));
}

ExitCounts BpfTest::exit_counts() { return must(read_exit_counts(Node::get().place.bpffs())); }
EbpfDataplane& BpfTest::dataplane() { return Node::get().dataplane; }
const Device& BpfTest::pod_a() { return Node::get().pod_a; }
const Device& BpfTest::pod_b() { return Node::get().pod_b; }
const Device& BpfTest::nic() { return Node::get().nic; }

testing::Matcher<const Passage&> LeftToKernel(kubecni_exit_reason reason) {
  return testing::AllOf(Left(TC_ACT_UNSPEC, reason), testing::Truly([](const Passage& passage) {
                          return passage.out == passage.in;
                        }));
}

testing::Matcher<const Passage&> Dropped(kubecni_exit_reason reason) {
  return testing::AllOf(Left(TC_ACT_SHOT, reason), testing::Truly([](const Passage& passage) {
                          return passage.out == passage.in;
                        }));
}

testing::Matcher<const Passage&> Redirected(kubecni_exit_reason reason, const Frame& frame) {
  return testing::AllOf(Left(TC_ACT_REDIRECT, reason), testing::Field("out", &Passage::out, frame));
}

}  // namespace kubecni::test
