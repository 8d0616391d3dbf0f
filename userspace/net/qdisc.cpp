#include "net/qdisc.hpp"

#include "net/netlink_request.hpp"

#include <linux/rtnetlink.h>

#include <string>

namespace kubecni {

Result<ShapedLinks> list_shaped_links(NetlinkSocket& netlink) {
  ShapedLinks links;
  NetlinkRequest request(RTM_GETQDISC, NLM_F_DUMP, tcmsg{});
  auto done = request.dump(
      netlink, "list queueing disciplines", [&] { links = {}; },
      [&](const nlmsghdr* message) {
        const auto* info = static_cast<const tcmsg*>(nlmsg_data(message));
        const std::string kind = Attributes<TCA_MAX>(message, info).text(TCA_KIND);
        if (kind == "noqueue" || kind == "clsact") return;
        (kind == "ingress" ? links.in : links.out).insert(static_cast<unsigned>(info->tcm_ifindex));
      });
  if (!done) return fail(done);
  return links;
}

}  // namespace kubecni
