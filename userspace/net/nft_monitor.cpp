#include "net/nft_monitor.hpp"

#include "net/netlink_request.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace kubecni {

namespace {

// Of every message about a part of a table, the first attribute is the table's name.
constexpr int kTableName = 1;
static_assert(NFTA_TABLE_NAME == kTableName && NFTA_CHAIN_TABLE == kTableName &&
              NFTA_RULE_TABLE == kTableName && NFTA_SET_TABLE == kTableName &&
              NFTA_SET_ELEM_LIST_TABLE == kTableName);

bool is_about(const nlmsghdr* message, const std::string& table) {
  if (message->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES) return false;
  const int type = message->nlmsg_type & 0xff;
  if (type == NFT_MSG_NEWGEN) return false;  // the end of a transaction
  const auto* header = static_cast<const nfgenmsg*>(nlmsg_data(message));
  return header->nfgen_family == NFPROTO_INET &&
         Attributes<kTableName>(message, header).text(kTableName) == table;
}

}  // namespace

Result<NftMonitor> NftMonitor::open(std::string table) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  if (!fd && errno == EPROTONOSUPPORT) return NftMonitor(std::move(fd), std::move(table));
  if (!fd) return sys_error(errno, "open netlink monitor of nftables");
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof(own)) != 0)
    return sys_error(errno, "bind netlink monitor of nftables");
  const int group = NFNLGRP_NFTABLES;
  // EINVAL, ENOENT: the kernel has no nftables.
  if (::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) != 0 &&
      errno != EINVAL && errno != ENOENT)
    return sys_error(errno, "listen to netlink notifications of nftables");
  return NftMonitor(std::move(fd), std::move(table));
}

bool NftMonitor::take_changes() {
  constexpr int kMostReads = 1024;
  alignas(nlmsghdr) char buffer[32768];
  bool changed = false;
  for (int reads = 0; reads < kMostReads; ++reads) {
    const ssize_t size = ::recv(fd_.get(), buffer, sizeof(buffer), MSG_TRUNC);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno != ENOBUFS) return changed;
    // Some were lost, or a part of one.
    changed = changed || size < 0 || size > static_cast<ssize_t>(sizeof(buffer));
    auto left = static_cast<int>(std::min<ssize_t>(size, sizeof(buffer)));
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer); left > 0 && nlmsg_ok(message, left);
         message = nlmsg_next(message, &left))
      changed = changed || is_about(message, table_);
  }
  return changed;
}

bool NftMonitor::wait_until(std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return take_changes();
    pollfd report{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    ::poll(&report, 1, static_cast<int>(left.count()));
    if (take_changes()) return true;
  }
}

}  // namespace kubecni
