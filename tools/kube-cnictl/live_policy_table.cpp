#include "live_policy_table.hpp"

#include "state/policy_mark.hpp"

#include <string>

namespace kubecni {

Result<LiveTable> read_live_table(Nftables::Elements elements) {
  auto listing = Nftables::list_json(std::string("inet ") + kPolicyTableName, elements);
  if (!listing) return fail(listing);
  return LiveTable::parse(*listing);
}

}  // namespace kubecni
