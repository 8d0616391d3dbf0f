#include "net/nftables.hpp"

#include "net/netlink_request.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace kubecni {

namespace {

/// libnftables knows the errno, and tells only its text; with a guess of what was
/// meant behind it, at times.
int errno_in(std::string_view text) {
  for (const int code : {ENOENT, EEXIST, EPERM, EACCES, EBUSY, EOPNOTSUPP, EAFNOSUPPORT, ENOMEM,
                         ENOBUFS, ENOSPC, ERANGE, EINTR, EMFILE, EPROTONOSUPPORT}) {
    if (text.find(std::strerror(code)) != text.npos) return code;
  }
  return EINVAL;
}

/// The first complaint of many, without the quoted command and the '^^^^' below it:
/// "Could not process rule: No such file or directory".
std::string_view shorten(std::string_view errors) {
  if (const auto at = errors.find("Error: "); at != errors.npos) errors.remove_prefix(at + 7);
  return errors.substr(0, errors.find('\n'));
}

}  // namespace

void Nftables::Free::operator()(nft_ctx* context) const { nft_ctx_free(context); }

Result<Nftables> Nftables::open() {
  // First a socket of ours: where there can be none, libnftables ends the process.
  auto netlink = NetlinkSocket::open(NetlinkPeer::kNetfilter);
  if (!netlink) return fail(netlink, "nftables");
  Nftables nftables(std::move(*netlink), nft_ctx_new(NFT_CTX_DEFAULT));
  nft_ctx* context = nftables.context_.get();
  if (!context) return sys_error(ENOMEM, "nftables");
  if (nft_ctx_buffer_output(context) != 0 || nft_ctx_buffer_error(context) != 0)
    return sys_error(ENOMEM, "nftables");
  nft_ctx_output_set_flags(context, NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_NUMERIC_ALL);
  return nftables;
}

Result<> Nftables::run(const std::string& commands) {
  const int status = nft_run_cmd_from_buffer(context_.get(), commands.c_str());
  // Reading either buffer empties it for the next command.
  const std::string_view explanation = shorten(nft_ctx_get_error_buffer(context_.get()));
  if (status == 0) return {};
  return failure(errno_in(explanation), "nftables: " + std::string(explanation));
}

Result<std::string> Nftables::list_table(const std::string& name) {
  auto listed = run("list table inet " + name);
  std::string text = nft_ctx_get_output_buffer(context_.get());
  if (listed) return text;
  if (listed.error().code == ENOENT) return "";
  return fail(listed, "list table inet " + name);
}

Result<std::uint32_t> Nftables::generation() {
  std::uint32_t generation = 0;
  NetlinkRequest request(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, 0,
                         nfgenmsg{.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = 0});
  auto done =
      request.exchange(netlink_, "read generation of nftables", [&](const nlmsghdr* message) {
        const Attributes<NFTA_GEN_MAX> attributes(message, static_cast<nfgenmsg*>(nullptr));
        generation = ntohl(attributes.u32(NFTA_GEN_ID));
      });
  // What netfilter answers for a part of it that the kernel does not have.
  if (!done && done.error().code == EINVAL) return 0;
  if (!done) return fail(done);
  return generation;
}

}  // namespace kubecni
