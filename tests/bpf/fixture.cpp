#include "fixture.hpp"

#include "dataplane/pins.hpp"
#include "dataplane/program_object.hpp"
#include "support/ip.hpp"
#include "tell.skel.h"

#include <bpf/bpf.h>

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <ostream>
#include <string_view>

void PrintTo(kubecni_exit_reason reason, std::ostream* out) {
  *out << kubecni::kExitReasons.at(reason).name;
}

namespace kubecni::test {

namespace {

using Flow4Map = BpfMap<kubecni_flow4, kubecni_flow_state>;
using Flow6Map = BpfMap<kubecni_flow6, kubecni_flow_state>;

MacAddr mac(const char* text) { return MacAddr::parse(text).value(); }

struct DestroyTell {
  void operator()(tell* object) const { tell__destroy(object); }
};

/// Shared by all tests of the process: loading takes most of the time.
struct Node {
  static Node& get() {
    static Node node;
    return node;
  }
  Node() : place(PrivateNamespaces::enter()) {
    for (const Program& hook : kPrograms) {
      const auto pin = PinPaths(place.bpffs()).progs / hook.name;
      programs[hook.name] = UniqueFd(bpf_obj_get(pin.c_str()));
    }
  }

  const PrivateNamespaces& place;
  EbpfDataplane dataplane =
      must(EbpfDataplane::open(place.bpffs(), place.run_dir(), {.max_flows = 8192}));
  Flow4Map flows4 = must(Flow4Map::open(PinPaths(place.bpffs()).maps / "flows4"));
  Flow6Map flows6 = must(Flow6Map::open(PinPaths(place.bpffs()).maps / "flows6"));
  [[nodiscard]] int program(const Program& hook) const {
    if (!without_conntrack) return programs.at(hook.name).get();
    return bpf_program__fd(bpf_object__find_program_by_name(without_conntrack.get(), hook.name));
  }
  /// The same, behind tell().
  [[nodiscard]] int program_behind_tell(const Program& hook) {
    if (!teller) teller.reset(tell__open_and_load());
    const __u32 only = 0;
    const auto next = static_cast<__u32>(program(hook));
    if (!teller || bpf_map_update_elem(bpf_map__fd(teller->maps.next), &only, &next, BPF_ANY) != 0)
      must(Result<>(sys_error(errno, "tell.bpf.c")));
    return bpf_program__fd(teller->progs.tell);
  }
  std::unique_ptr<tell, DestroyTell> teller;
  std::map<std::string, UniqueFd> programs;
  BpfObject without_conntrack;  ///< in use, if there
  Device pod_a = add_device("pod_a");
  Device pod_b = add_device("pod_b");
  Device nic = add_device("nic", mac(kNicMac));
  Device tunnel = add_device("tunnel", mac(kTunnelMac));
};

template <typename Map>
void clear(Map& map) {
  for (const auto& [key, value] : must(map.entries())) must(map.erase(key));
}

IpAddr to_addr(const __u8 (&bytes)[4]) { return IpAddr::v4(bytes); }
IpAddr to_addr(const __u8 (&bytes)[16]) { return IpAddr::v6(bytes); }

template <typename Key>
Flow to_flow(const Key& key) {
  const auto port = [](const __u8(&bytes)[2]) {
    return static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
  };
  return {to_addr(key.src),   to_addr(key.dst), port(key.src_port),
          port(key.dst_port), key.place,        key.proto};
}

template <typename Key>
Key to_key(const Flow& flow) {
  const auto put = [](std::uint16_t port, __u8(&bytes)[2]) {
    bytes[0] = static_cast<__u8>(port >> 8);
    bytes[1] = static_cast<__u8>(port & 0xff);
  };
  Key key{};
  std::copy_n(flow.src.data(), sizeof(key.src), key.src);
  std::copy_n(flow.dst.data(), sizeof(key.dst), key.dst);
  put(flow.src_port, key.src_port);
  put(flow.dst_port, key.dst_port);
  key.place = flow.place;
  key.proto = flow.proto;
  return key;
}

const Device& usual_device(const Program& hook) {
  const std::string_view name = hook.name;
  if (name.ends_with("_pod")) return Node::get().pod_a;
  return name.ends_with("_tunnel") ? Node::get().tunnel : Node::get().nic;
}

PodEndpoint endpoint_of(const Device& host, const char* v4, const char* v6, const char* pod_mac) {
  return {.host = host,
          .network = kNetwork,
          .addresses = {addr(v4), addr(v6)},
          .pod_mac = mac(pod_mac),
          .gateway_mac = mac(kGatewayMac)};
}

/// The only exit that was counted between two readings.
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

void PrintTo(const Family& family, std::ostream* out) { *out << family.name; }

void BpfTest::SetUp() {
  if (!may_run_bpf()) GTEST_SKIP() << kWhySkipped;
  Node::get().without_conntrack.reset();
  reset_the_maps();
}

void BpfTest::use_programs_without_conntrack() {
  const PinPaths pins(Node::get().place.bpffs());
  Node::get().without_conntrack = must(load_programs_without_conntrack(pins.maps));
}

void BpfTest::reset_the_maps() {
  empty_the_maps();
  for (const Family& family : {kIpv4, kIpv6}) {
    add_node(family.own_cidr, KUBECNI_NODE_LOCAL);
    add_node(family.remote_cidr, KUBECNI_NODE_DIRECT);
    add_node(family.tunnel_cidr, KUBECNI_NODE_VXLAN);
  }
  must(dataplane().node_config.set({.cluster_network = kNetwork, .may_bypass_ipsec = 1}));
  must(dataplane().pods.endpoints.add(endpoint_of(pod_a(), kIpv4.pod_a, kIpv6.pod_a, kPodAMac)));
  must(dataplane().pods.endpoints.add(endpoint_of(pod_b(), kIpv4.pod_b, kIpv6.pod_b, kPodBMac)));
}

void BpfTest::limit_pod_a(const Pacer& pacer, Shaped shaped) {
  PodEndpoint limited = endpoint_of(pod_a(), kIpv4.pod_a, kIpv6.pod_a, kPodAMac);
  limited.shaped = shaped;
  limited.pacer = pacer;
  must(dataplane().pods.endpoints.add(limited));
  must(dataplane().pacing_devices.set(nic().ifindex, 1));
  must(dataplane().node_config.set_has_pacers(true));
}

Passage BpfTest::run_uncounted(const Program& hook, const Device& device, const Frame& frame,
                               Metadata metadata) {
  __sk_buff skb{};
  skb.ifindex = device.ifindex;
  skb.mark = metadata.mark;
  skb.priority = metadata.priority;
  skb.gso_size = metadata.gso_size;
  skb.ingress_ifindex = metadata.from_ifindex;
  skb.cb[0] = metadata.tc_index;
  skb.tstamp = metadata.departure_ns;
  Frame out(frame.size() + 256);
  LIBBPF_OPTS(bpf_test_run_opts, opts);
  opts.data_in = frame.data();
  opts.data_size_in = static_cast<__u32>(frame.size());
  opts.data_out = out.data();
  opts.data_size_out = static_cast<__u32>(out.size());
  opts.ctx_in = opts.ctx_out = &skb;
  opts.ctx_size_in = opts.ctx_size_out = sizeof(skb);
  const bool must_tell = metadata.tc_index != 0 || metadata.departure_ns != 0;
  const int program = must_tell ? Node::get().program_behind_tell(hook) : Node::get().program(hook);
  if (bpf_prog_test_run_opts(program, &opts) != 0)
    must(Result<>(sys_error(errno, std::string("run ") + hook.name)));
  out.resize(opts.data_size_out);
  return {.verdict = static_cast<int>(opts.retval),
          .in = frame,
          .out = out,
          .mark = skb.mark,
          .priority = skb.priority,
          .departure_ns = skb.tstamp};
}

void BpfTest::run_many(const Program& hook, const Frame& frame, int times) {
  __sk_buff skb{};
  skb.ifindex = usual_device(hook).ifindex;
  LIBBPF_OPTS(bpf_test_run_opts, opts);
  opts.data_in = frame.data();
  opts.data_size_in = static_cast<__u32>(frame.size());
  opts.ctx_in = &skb;
  opts.ctx_size_in = sizeof(skb);
  opts.repeat = times;
  if (bpf_prog_test_run_opts(Node::get().program(hook), &opts) != 0)
    must(Result<>(sys_error(errno, std::string("run ") + hook.name)));
}

std::string BpfTest::drops(const ExitCounts& before, const ExitCounts& after) {
  std::string dropped;
  for (std::size_t reason = 0; reason < after.size(); ++reason) {
    const std::string name = kExitReasons[reason].name;
    const auto packets = after[reason].packets - before[reason].packets;
    if (name.starts_with("DROP_") && packets != 0)
      dropped += name + "+" + std::to_string(packets) + " ";
  }
  return dropped;
}

Passage BpfTest::run(const Program& hook, const Device& device, const Frame& frame,
                     Metadata metadata) {
  const ExitCounts before = exit_counts();
  Passage passage = run_uncounted(hook, device, frame, metadata);
  passage.reason = counted_exit(before, exit_counts(), frame.size());
  const ExitReason& listed = kExitReasons.at(passage.reason);
  EXPECT_EQ(passage.verdict, listed.verdict) << listed.name;
  EXPECT_NE(listed.programs & hook.bit, 0) << listed.name << " by " << hook.name;
  return passage;
}

Passage BpfTest::run(const Program& hook, const Frame& frame, Metadata metadata) {
  return run(hook, usual_device(hook), frame, metadata);
}

Passage BpfTest::run_uncounted(const Program& hook, const Frame& frame, Metadata metadata) {
  return run_uncounted(hook, usual_device(hook), frame, metadata);
}

Frame BpfTest::frame_at(const Program& hook, IpPacket packet) {
  struct Usual {
    const char *dst_mac, *src_mac, *src, *dst;
  };
  const Family& f = family_of(packet.family);
  const std::map<std::string, Usual> usuals{
      {kFromPod.name, {kGatewayMac, kPodAMac, f.pod_a, f.remote_pod}},
      {kToPod.name, {kPodAMac, kGatewayMac, f.remote_pod, f.pod_a}},
      {kFromWire.name, {kNicMac, kRemoteNodeMac, f.remote_pod, f.pod_a}},
      {kToWire.name, {kRemoteNodeMac, kNicMac, f.pod_a, f.remote_pod}},
      {kFromTunnel.name, {kTunnelMac, kRemoteTunnelMac, f.tunnel_pod, f.pod_a}},
      {kToTunnel.name, {kRemoteTunnelMac, kTunnelMac, f.pod_a, f.tunnel_pod}},
  };
  const Usual& usual = usuals.at(hook.name);
  if (packet.dst_mac.empty()) packet.dst_mac = usual.dst_mac;
  if (packet.src_mac.empty()) packet.src_mac = usual.src_mac;
  if (packet.src.empty()) packet.src = usual.src;
  if (packet.dst.empty()) packet.dst = usual.dst;
  return ip_packet(packet);
}

void BpfTest::add_node(const std::string& cidr, kubecni_node_kind kind, unsigned mtu) {
  const IpNet net = IpNet::parse(cidr).value();
  const Family& family = family_of(net.addr.family());
  kubecni_node node{};
  node.kind = kind;
  if (kind != KUBECNI_NODE_LOCAL) {
    const bool is_direct = kind == KUBECNI_NODE_DIRECT;
    const IpAddr next_hop = addr(is_direct ? family.remote_node : family.tunnel_node);
    node.egress_ifindex = is_direct ? nic().ifindex : tunnel().ifindex;
    node.mtu = mtu;
    node.next_hop_family = static_cast<__u16>(next_hop.family());
    std::copy_n(next_hop.data(), next_hop.bytes(), node.next_hop);
  }
  if (kind == KUBECNI_NODE_VXLAN) {
    node.vni = kVni;
    std::ranges::copy(mac(kRemoteTunnelMac).bytes, node.tunnel_mac);
    std::ranges::copy(mac(kTunnelMac).bytes, node.own_tunnel_mac);
  }
  must(dataplane().node_cidrs.set(net, node));
}

void BpfTest::remove_node(const std::string& cidr) {
  must(dataplane().node_cidrs.erase(IpNet::parse(cidr).value()));
}

void BpfTest::set_flags(const std::string& pod, __u32 flags) {
  auto endpoint = must(dataplane().pods.endpoints.endpoints().find({kNetwork, addr(pod)})).value();
  endpoint.flags = flags;
  must(dataplane().pods.endpoints.endpoints().set({kNetwork, addr(pod)}, endpoint));
}

void BpfTest::remove_endpoint(const std::string& pod) {
  must(dataplane().pods.endpoints.endpoints().erase({kNetwork, addr(pod)}));
}

void BpfTest::add_address(const std::string& pod, const IpAddr& address) {
  const auto endpoint =
      must(dataplane().pods.endpoints.endpoints().find({kNetwork, addr(pod)})).value();
  must(dataplane().pods.endpoints.endpoints().set({kNetwork, address}, endpoint));
}

void BpfTest::set_peer(const std::string& address, __u32 vni) {
  must(dataplane().tunnel_peers.set(addr(address), {.vni = vni}));
}

void BpfTest::empty_the_maps() {
  for (const auto& [cidr, node] : must(dataplane().node_cidrs.entries()))
    must(dataplane().node_cidrs.erase(cidr));
  for (const auto& [address, peer] : must(dataplane().tunnel_peers.entries()))
    must(dataplane().tunnel_peers.erase(address));
  must(dataplane().node_config.set({}));
  clear(dataplane().pods.endpoints.endpoints());
  clear(dataplane().pods.endpoints.pod_ifaces());
  clear(dataplane().pods.endpoints.pacers());
  clear(dataplane().pacing_devices);
  clear(Node::get().flows4);
  clear(Node::get().flows6);
}

std::map<Flow, kubecni_flow_state> BpfTest::flows() {
  std::map<Flow, kubecni_flow_state> found;
  for (const auto& [key, state] : must(Node::get().flows4.entries())) found[to_flow(key)] = state;
  for (const auto& [key, state] : must(Node::get().flows6.entries())) found[to_flow(key)] = state;
  return found;
}

void BpfTest::set_flow(const Flow& flow, const kubecni_flow_state& state) {
  must(flow.src.is_v4() ? Node::get().flows4.set(to_key<kubecni_flow4>(flow), state)
                        : Node::get().flows6.set(to_key<kubecni_flow6>(flow), state));
}

ExitCounts BpfTest::exit_counts() { return must(read_exit_counts(Node::get().place.bpffs())); }
std::filesystem::path BpfTest::bpffs() { return Node::get().place.bpffs(); }
EbpfDataplane& BpfTest::dataplane() { return Node::get().dataplane; }
const Device& BpfTest::pod_a() { return Node::get().pod_a; }
const Device& BpfTest::pod_b() { return Node::get().pod_b; }
const Device& BpfTest::nic() { return Node::get().nic; }
const Device& BpfTest::tunnel() { return Node::get().tunnel; }

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
