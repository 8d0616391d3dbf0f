#include "live_policy_table.hpp"

#include "state/policy_mark.hpp"

#include <cerrno>
#include <string>

namespace kubecni {

Result<LiveTable> read_live_table(Nftables::Elements elements) {
  auto nftables = Nftables::open();
  if (!nftables && nftables.error().code == EPROTONOSUPPORT) return LiveTable();
  if (!nftables) return fail(nftables);
  auto listing = nftables->list_json(std::string("inet ") + kPolicyTableName, elements);
  if (!listing) return fail(listing);
  return LiveTable::parse(*listing);
}

}  // namespace kubecni
