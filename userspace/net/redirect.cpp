#include "net/redirect.hpp"

#include "net/netlink_request.hpp"

#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <netinet/in.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

namespace kubecni {

namespace {

constexpr std::uint32_t kIngress = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
constexpr std::uint32_t kPriority = 100;  // after from_pod, where that is a filter

tcmsg place(unsigned ifindex, std::uint32_t parent, std::uint32_t handle, std::uint32_t info = 0) {
  return {.tcm_family = AF_UNSPEC,
          .tcm_ifindex = static_cast<int>(ifindex),
          .tcm_handle = handle,
          .tcm_parent = parent,
          .tcm_info = info};
}

tcmsg place_of_filter(unsigned ifindex) {
  return place(ifindex, kIngress, 0, TC_H_MAKE(kPriority << 16, htons(ETH_P_ALL)));
}

Result<> ensure_clsact(NetlinkSocket& netlink, unsigned ifindex) {
  NetlinkRequest request(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL,
                         place(ifindex, TC_H_CLSACT, TC_H_MAKE(TC_H_CLSACT, 0)));
  request.put(TCA_KIND, std::string("clsact"));
  auto made =
      request.exchange(netlink, "create the clsact qdisc of link " + std::to_string(ifindex));
  return made || made.error().code != EEXIST ? made : Result<>();
}

Result<> delete_filter(NetlinkSocket& netlink, unsigned ifindex) {
  NetlinkRequest request(RTM_DELTFILTER, 0, place_of_filter(ifindex));
  auto deleted = request.exchange(netlink, "delete the filter of link " + std::to_string(ifindex));
  return deleted || deleted.error().code != ENOENT ? deleted : Result<>();
}

/// A selector of u32 that every frame matches: the head without a key. A key, also one without
/// bits, would need the bytes that it is about, and a pod can send frames that end before.
std::array<std::byte, sizeof(tc_u32_sel)> match_all() {
  tc_u32_sel head{};
  head.flags = TC_U32_TERMINAL;
  std::array<std::byte, sizeof(tc_u32_sel)> bytes{};
  std::memcpy(bytes.data(), &head, sizeof(head));
  return bytes;
}

Result<> add_filter(NetlinkSocket& netlink, unsigned from, unsigned to) {
  tc_mirred where{};
  where.action = TC_ACT_STOLEN;
  where.eaction = TCA_EGRESS_REDIR;
  where.ifindex = to;
  const auto selector = match_all();
  NetlinkRequest request(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, place_of_filter(from));
  request.put(TCA_KIND, std::string("u32"));
  request.nest(TCA_OPTIONS, [&] {
    request.put(TCA_U32_SEL, selector.data(), selector.size());
    request.nest(TCA_U32_ACT, [&] {
      request.nest(1, [&] {
        request.put(TCA_ACT_KIND, std::string("mirred"));
        request.nest(TCA_ACT_OPTIONS,
                     [&] { request.put(TCA_MIRRED_PARMS, &where, sizeof(where)); });
      });
    });
  });
  return request.exchange(netlink, "lead what comes in by link " + std::to_string(from) +
                                       " to link " + std::to_string(to));
}

/// The target of a filter's action; empty if it has none.
std::optional<unsigned> target_of(const Attributes<TCA_MAX>& filter) {
  const Attributes<TCA_U32_MAX> options(filter[TCA_OPTIONS]);
  const Attributes<1> actions(options[TCA_U32_ACT]);
  const Attributes<TCA_ACT_MAX> action(actions[1]);
  const Attributes<TCA_MIRRED_MAX> mirred(action[TCA_ACT_OPTIONS]);
  tc_mirred where{};
  if (!mirred[TCA_MIRRED_PARMS]) return std::nullopt;
  nla_memcpy(&where, mirred[TCA_MIRRED_PARMS], sizeof(where));
  return where.ifindex;
}

}  // namespace

Result<> set_redirect(NetlinkSocket& netlink, unsigned from, unsigned to) {
  if (auto made = ensure_clsact(netlink, from); !made) return made;
  auto there = find_redirect(netlink, from);
  if (!there) return fail(there);
  if (*there == to) return {};
  if (auto deleted = delete_filter(netlink, from); !deleted) return deleted;
  return add_filter(netlink, from, to);
}

Result<std::optional<unsigned>> find_redirect(NetlinkSocket& netlink, unsigned from) {
  std::optional<unsigned> to;
  NetlinkRequest request(RTM_GETTFILTER, NLM_F_DUMP, place(from, kIngress, 0));
  auto done = request.dump(
      netlink, "list the filters of link " + std::to_string(from), [&] { to.reset(); },
      [&](const nlmsghdr* message) {
        const auto* info = static_cast<const tcmsg*>(nlmsg_data(message));
        if (TC_H_MAJ(info->tcm_info) >> 16 != kPriority) return;
        if (const auto target = target_of(Attributes<TCA_MAX>(message, info))) to = target;
      });
  if (!done) return fail(done);
  return to;
}

}  // namespace kubecni
