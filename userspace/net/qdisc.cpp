#include "net/qdisc.hpp"

#include "net/netlink_request.hpp"

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <map>
#include <set>
#include <string>

namespace kubecni {

namespace {

/// The disciplines of a link's egress.
struct Egress {
  std::string root;
  std::set<std::string> children;

  [[nodiscard]] bool keeps_departure_times() const {
    return root == "fq" || (root == "mq" && children == std::set<std::string>{"fq"});
  }
};

}  // namespace

Result<ShapedLinks> list_shaped_links(NetlinkSocket& netlink) {
  ShapedLinks links;
  std::map<unsigned, Egress> egress;
  NetlinkRequest request(RTM_GETQDISC, NLM_F_DUMP, tcmsg{});
  auto done = request.dump(
      netlink, "list queueing disciplines",
      [&] {
        links = {};
        egress.clear();
      },
      [&](const nlmsghdr* message) {
        const auto* info = static_cast<const tcmsg*>(nlmsg_data(message));
        const std::string kind = Attributes<TCA_MAX>(message, info).text(TCA_KIND);
        if (kind == "noqueue" || kind == "clsact") return;
        const auto ifindex = static_cast<unsigned>(info->tcm_ifindex);
        (kind == "ingress" ? links.in : links.out).insert(ifindex);
        if (kind == "ingress") return;
        if (info->tcm_parent == TC_H_ROOT)
          egress[ifindex].root = kind;
        else
          egress[ifindex].children.insert(kind);
      });
  if (!done) return fail(done);
  for (const auto& [ifindex, disciplines] : egress)
    if (disciplines.keeps_departure_times()) links.pacing.insert(ifindex);
  return links;
}

}  // namespace kubecni
