#include "net/ipsec.hpp"

#include "net/netlink_request.hpp"

#include <linux/xfrm.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace kubecni {

Result<bool> has_ipsec_policies() {
  auto netlink = NetlinkSocket::open(NetlinkPeer::kXfrm);
  if (!netlink && netlink.error().code == EPROTONOSUPPORT) return false;
  if (!netlink) return fail(netlink);
  const std::uint32_t flags = 0;
  xfrmu_spdinfo counts{};
  NetlinkRequest request(XFRM_MSG_GETSPDINFO, 0, flags);
  auto done =
      request.exchange(*netlink, "count the policies of IPsec", [&](const nlmsghdr* message) {
        const Attributes<XFRMA_SPD_MAX> attributes(message, &flags);
        nlattr* info = attributes[XFRMA_SPD_INFO];
        if (info && nla_len(info) >= static_cast<int>(sizeof(counts)))
          std::memcpy(&counts, nla_data(info), sizeof(counts));
      });
  if (!done) return fail(done);
  return counts.outcnt != 0;
}

}  // namespace kubecni
