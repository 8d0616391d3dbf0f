#include "net/nftables.hpp"

#include "base/json.hpp"
#include "net/netlink_request.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace kubecni {

namespace {

/// libnftables knows the errno, but reports only its text, sometimes with a suggestion behind it.
int errno_in(std::string_view text) {
  for (const int code : {ENOENT, EEXIST, EPERM, EACCES, EBUSY, EOPNOTSUPP, EAFNOSUPPORT, ENOMEM,
                         ENOBUFS, ENOSPC, ERANGE, EINTR, EMFILE, EPROTONOSUPPORT}) {
    if (text.find(std::strerror(code)) != text.npos) return code;
  }
  return EINVAL;
}

/// The first of many errors, without the quoted command and the '^^^^' below it: "Could not process
/// rule: No such file or directory".
std::string_view shorten(std::string_view errors) {
  if (const auto at = errors.find("Error: "); at != errors.npos) errors.remove_prefix(at + 7);
  return errors.substr(0, errors.find('\n'));
}

constexpr const char* kNoListing = R"({"nftables": []})";

constexpr unsigned kWithCounters = 0;
constexpr unsigned kWithoutCounters = NFT_CTX_OUTPUT_STATELESS;

struct Free {
  void operator()(nft_ctx* context) const { nft_ctx_free(context); }
};

bool is_usable(nft_ctx* context) {
  return context && nft_ctx_buffer_output(context) == 0 && nft_ctx_buffer_error(context) == 0;
}

Result<std::string> execute_in(nft_ctx& context, const std::string& commands) {
  if (nft_run_cmd_from_buffer(&context, commands.c_str()) == 0)
    return nft_ctx_get_output_buffer(&context);
  const std::string explanation(shorten(nft_ctx_get_error_buffer(&context)));
  return failure(errno_in(explanation), "nftables: " + explanation);
}

/// Runs `commands`, and returns what they print.
///
/// Uses a new context each time: a context keeps the kernel's answers, every element of every set.
/// In a large cluster that is more than all that the daemon stores.
Result<std::string> execute(const std::string& commands, unsigned more_flags = 0,
                            unsigned counters = kWithoutCounters) {
  const std::unique_ptr<nft_ctx, Free> context(nft_ctx_new(NFT_CTX_DEFAULT));
  if (!is_usable(context.get())) return sys_error(ENOMEM, "nftables");
  nft_ctx_output_set_flags(context.get(), NFT_CTX_OUTPUT_NUMERIC_ALL | more_flags | counters);
  return execute_in(*context, commands);
}

}  // namespace

Result<Nftables> Nftables::open() {
  // Uses our own socket: if there can be none, libnftables ends the process.
  auto netlink = NetlinkSocket::open(NetlinkPeer::kNetfilter);
  if (!netlink) return fail(netlink, "nftables");
  return Nftables(std::move(*netlink));
}

Result<> Nftables::run(const std::string& commands) {
  auto done = execute(commands);
  return done ? Result<>() : fail(done);
}

namespace {

Result<std::string> listing_of(const std::string& name, unsigned flags) {
  auto listed = execute("list table " + name, flags);
  if (!listed && listed.error().code == ENOENT) return "";
  if (!listed) return fail(listed, "list table " + name);
  return listed;
}

}  // namespace

Result<std::string> Nftables::list_table(const std::string& name) { return listing_of(name, 0); }

Result<std::string> Nftables::list_structure(const std::string& name) {
  return listing_of(name, NFT_CTX_OUTPUT_TERSE);
}

Result<std::string> Nftables::list_json(const std::string& name, Elements elements) {
  auto nftables = open();
  if (!nftables && nftables.error().code == EPROTONOSUPPORT) return kNoListing;
  auto number = nftables ? nftables->generation() : fail(nftables);
  if (!number) return fail(number);
  if (*number == 0) return kNoListing;  // the kernel has no nftables
  unsigned flags = NFT_CTX_OUTPUT_JSON;
  if (elements == Elements::kNone) flags |= NFT_CTX_OUTPUT_TERSE;
  auto listed = execute("list table " + name, flags, kWithCounters);
  if (!listed && listed.error().code == ENOENT) return kNoListing;
  if (!listed) return fail(listed, "list table " + name);
  return listed;
}

Result<std::set<std::string>> Nftables::list_objects(const std::string& name) {
  std::set<std::string> objects;
  auto listed = execute("list table " + name, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_TERSE);
  if (!listed && listed.error().code == ENOENT) return objects;
  auto listing = listed ? parse_json(*listed) : std::unexpected(listed.error());
  if (!listing) return fail(listing, "list table " + name);
  for (const auto& entry : member(*listing, "nftables"))
    for (const auto& [kind, object] : entry.items())
      if (kind != "metainfo" && kind != "table" && kind != "rule")
        objects.insert(kind + " " + text_of(member(object, "name")));
  return objects;
}

Result<std::string> Nftables::list_chains() { return execute("list chains", NFT_CTX_OUTPUT_JSON); }

Result<std::string> Nftables::list_rules(const std::string& name) {
  auto listed = execute("list chain " + name, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_HANDLE);
  if (!listed && listed.error().code == ENOENT) return kNoListing;
  if (!listed) return fail(listed, "list chain " + name);
  return listed;
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
  // Netfilter's answer if the kernel lacks a part of it.
  if (!done && done.error().code == EINVAL) return 0;
  if (!done) return fail(done);
  return generation;
}

void NftOwner::Free::operator()(nft_ctx* context) const { nft_ctx_free(context); }

Result<NftOwner> NftOwner::open() {
  if (auto possible = Nftables::open(); !possible) return fail(possible);
  Context context(nft_ctx_new(NFT_CTX_DEFAULT));
  if (!is_usable(context.get())) return sys_error(ENOMEM, "nftables");
  return NftOwner(std::move(context));
}

Result<> NftOwner::run(const std::string& commands) {
  auto done = execute_in(*context_, commands);
  // A dry run lets go of the kernel's answers.
  nft_ctx_set_dry_run(context_.get(), true);
  (void)nft_run_cmd_from_buffer(context_.get(), "list tables");
  nft_ctx_set_dry_run(context_.get(), false);
  return done ? Result<>() : fail(done);
}

}  // namespace kubecni
