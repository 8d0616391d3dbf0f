// What bpf_redirect_peer leaves on a packet that it puts into another namespace. That depends on
// the kernel: one without the mend of CVE-2025-37959 takes nothing off. tools/kernels shows the
// lines "fact: ".
#include "base/unique_fd.hpp"
#include "namespaces.hpp"
#include "redirect.skel.h"
#include "redirect_seen.h"
#include "sandbox/named_netns.hpp"
#include "support/eventually.hpp"
#include "support/temp_dir.hpp"

#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include <net/if.h>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace kubecni::test {
namespace {

constexpr const char* kSender = "192.0.2.1";
constexpr const char* kReceiver = "192.0.2.2";
constexpr std::chrono::minutes kPatience{2};  // of a command, on an emulated machine

struct DestroyRedirect {
  void operator()(redirect* object) const { redirect__destroy(object); }
};

/// A node with a wire to a sender and a pod. What the sender sends to the node is stained and
/// redirected into the pod, which has the node's address.
class RedirectPeer : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_run_bpf()) GTEST_SKIP() << kWhySkipped;
    PrivateNamespaces::enter();
    sender_ = must(create_netns(sender_path()));
    pod_ = must(create_netns(pod_path()));
    ip("link add wire type veth peer name eth0 netns " + sender_path());
    ip("link add podhost type veth peer name eth0 netns " + pod_path());
    ip("address add " + std::string(kReceiver) + "/24 dev wire");
    ip("address add " + std::string(kSender) + "/24 dev eth0", sender_.get());
    ip("address add " + std::string(kReceiver) + "/24 dev eth0", pod_.get());
    for (const char* device : {"wire", "podhost"}) ip("link set up dev " + std::string(device));
    for (const UniqueFd* netns : {&sender_, &pod_}) ip("link set up dev eth0", netns->get());

    object_.reset(redirect__open());
    ASSERT_NE(object_, nullptr);
    object_->rodata->target_ifindex = ::if_nametoindex("podhost");
    ASSERT_EQ(redirect__load(object_.get()), 0);
    pin_and_attach("stain", object_->progs.stain, "wire", -1);
    pin_and_attach("look", object_->progs.look, "eth0", pod_.get());
  }
  void TearDown() override {
    if (!may_run_bpf()) return;
    object_.reset();
    run({.argv = {"ip", "link", "del", "wire"}});
    run({.argv = {"ip", "link", "del", "podhost"}});
    must(delete_netns(sender_path()));
    must(delete_netns(pod_path()));
  }

  static std::vector<std::string> words(const std::string& text) {
    std::istringstream in(text);
    return {std::istream_iterator<std::string>(in), {}};
  }
  static Outcome try_to(const std::string& command, int netns_fd = -1) {
    return run({.argv = words(command), .netns_fd = netns_fd}, kPatience);
  }
  static void ip(const std::string& arguments, int netns_fd = -1) {
    must_run({.argv = words("ip " + arguments), .netns_fd = netns_fd}, kPatience);
  }

  [[nodiscard]] std::string sender_path() const { return folder_.path() / "sender"; }
  [[nodiscard]] std::string pod_path() const { return folder_.path() / "pod"; }

  /// Behind the filters that are there already.
  static void pin_and_attach(const char* name, const bpf_program* program,
                             const std::string& device, int netns_fd) {
    const auto pin = PrivateNamespaces::enter().bpffs().string() + "-redirect-" + name;
    ASSERT_EQ(bpf_obj_pin(bpf_program__fd(program), pin.c_str()), 0);
    must_run({.argv = words("tc qdisc add dev " + device + " clsact"), .netns_fd = netns_fd},
             kPatience);
    must_run({.argv = words("tc filter add dev " + device +
                            " ingress pref 10 bpf da object-pinned " + pin),
              .netns_fd = netns_fd},
             kPatience);
    std::filesystem::remove(pin);
  }

  [[nodiscard]] redirect_seen seen() const {
    constexpr __u32 kKey = 0;
    redirect_seen found{};
    EXPECT_EQ(bpf_map_lookup_elem(bpf_map__fd(object_->maps.seen), &kKey, &found), 0);
    return found;
  }

  /// Sends a datagram, until the pod's device has seen one.
  redirect_seen send() {
    const bool has_come = eventually(
        [&] {
          must_run({.argv = words("socat -u - UDP4-SENDTO:" + std::string(kReceiver) + ":9"),
                    .input = "hello",
                    .netns_fd = sender_.get()},
                   kPatience);
          return seen().packets > 0;
        },
        kPatience);
    EXPECT_TRUE(has_come);
    return seen();
  }

  /// How many packets the pod's rule with this condition has counted.
  [[nodiscard]] std::size_t counted(const std::string& comment) const {
    const std::string rules =
        must_run({.argv = {"nft", "list", "ruleset"}, .netns_fd = pod_.get()}, kPatience);
    const auto at = rules.find(comment);
    const auto count = rules.rfind("packets ", at);
    if (at == rules.npos || count == rules.npos) return 0;
    return std::stoul(rules.substr(count + 8));
  }

  TempDir folder_;
  UniqueFd sender_;
  UniqueFd pod_;
  std::unique_ptr<redirect, DestroyRedirect> object_;
};

TEST_F(RedirectPeer, LeavesOnAPacketAllOrNothingOfWhatAVethTakesOff) {
  // Conntrack's entry of the node's namespace, with a mark of its own.
  const bool has_act_ct = try_to(
                              "tc filter add dev wire ingress pref 1 protocol ip matchall action "
                              "ct commit mark 77 pipe action continue")
                              .status == 0;
  must_run(
      {.argv = {"nft", "-f", "-"},
       .input =
           "table inet t {\n chain c {\n type filter hook prerouting priority 0\n"
           "ct mark 77 counter comment \"foreign\"\nct state new counter comment \"own\"\n}\n}\n",
       .netns_fd = pod_.get()},
      kPatience);

  const redirect_seen left = send();

  std::string text;
  const auto add = [&](bool is_left, const char* what) {
    if (is_left) text += (text.empty() ? "" : ", ") + std::string(what);
  };
  const bool has_conntrack = counted("foreign") > 0;
  add(left.mark != 0, "mark");
  add(left.priority != 0, "priority");
  add(left.tc_index != 0, "tc_index");
  add(left.tunnel_key != 0, "dst (tunnel key)");
  add(has_conntrack, "conntrack entry");
  std::cout << "fact: left on a packet by `bpf_redirect_peer`: "
            << (text.empty() ? "nothing" : text)
            << (has_act_ct ? "" : " (without act_ct, conntrack's entry is not known)") << std::endl;
  if (has_act_ct) {
    EXPECT_EQ(has_conntrack, left.tunnel_key != 0);
  }
  EXPECT_TRUE(has_conntrack || counted("own") > 0);
}

// A namespace without policies refuses what came through a tunnel of another one.
TEST_F(RedirectPeer, PodGetsWhatCameByIpsecIfNothingSaysSo) {
  const std::string ends = std::string("src ") + kSender + " dst " + kReceiver;
  const std::string state = "ip xfrm state add " + ends +
                            " proto esp spi 77 mode tunnel enc cbc(aes) 0x" + std::string(32, '7') +
                            " auth hmac(sha256) 0x" + std::string(64, '7');
  if (try_to(state).status != 0) GTEST_SKIP() << "this kernel has no ESP";
  must_run({.argv = words(state), .netns_fd = sender_.get()}, kPatience);
  ip("xfrm policy add " + ends + " dir out tmpl " + ends + " proto esp mode tunnel", sender_.get());
  Process receiver({.argv = words("socat -u UDP4-RECVFROM:9 -"), .netns_fd = pod_.get()});

  const redirect_seen left = send();

  const auto is_refused = [&] {
    std::istringstream statistics(
        must_run({.argv = {"cat", "/proc/net/xfrm_stat"}, .netns_fd = pod_.get()}, kPatience));
    std::string name;
    int count = 0;
    while (statistics >> name >> count)
      if (name == "XfrmInNoPols") return count > 0;
    return false;
  };
  EXPECT_TRUE(eventually([&] {
    if (is_refused() || !receiver.is_running()) return true;
    send();
    return false;
  }));
  EXPECT_EQ(is_refused(), left.ipsec != 0);
  std::cout << "fact: a packet that came by IPsec, after `bpf_redirect_peer`: "
            << (is_refused() ? "refused by the pod" : "reaches the pod") << std::endl;
}

}  // namespace
}  // namespace kubecni::test
