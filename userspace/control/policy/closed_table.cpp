#include "control/policy/closed_table.hpp"

#include "kubecni/abi.h"

#include <utility>

namespace kubecni {

namespace {

constexpr const char* kClosedTable = "inet kube-cni-closed";

/// After the policy table's chain, which sets the mark. An accept here ends nothing but this chain.
std::string empty_table() {
  const std::string table = std::string(kClosedTable) + " ";
  const std::string mark = std::to_string(KUBECNI_MARK_JUDGED);
  std::string text = "add table " + table + "{ flags owner; }\n";
  text += "add set " + table + "pods4 { type ipv4_addr; }\n";
  text += "add set " + table + "pods6 { type ipv6_addr; }\n";
  text += "add chain " + table +
          "forward { type filter hook forward priority filter - 4; policy accept; }\n";
  const std::string rule = "add rule " + table + "forward ";
  text += rule + "meta mark & " + mark + " == " + mark + " accept\n";
  for (const char* field :
       {"ip saddr @pods4", "ip daddr @pods4", "ip6 saddr @pods6", "ip6 daddr @pods6"})
    text += rule + field + " counter drop comment \"no policy table has let it pass\"\n";
  return text;
}

/// `verb` the elements that `these` has and `those` has not.
std::string elements(const std::string& verb, const std::set<IpAddr>& these,
                     const std::set<IpAddr>& those) {
  std::string text;
  for (const IpAddr& address : these)
    if (!those.contains(address))
      text += verb + " element " + kClosedTable + (address.is_v4() ? " pods4 { " : " pods6 { ") +
              address.str() + " }\n";
  return text;
}

}  // namespace

std::string plan_closed_table(bool is_new, const std::set<IpAddr>& known,
                              const std::set<IpAddr>& wanted) {
  return (is_new ? empty_table() : "") + elements("add", wanted, known) +
         elements("delete", known, wanted);
}

Result<> ClosedTable::sync(const std::set<IpAddr>& policed) {
  const bool is_new = !owner_;
  if (is_new) {
    auto opened = NftOwner::open();
    if (!opened) return fail(opened);
    owner_ = std::move(*opened);
    known_.clear();
  }
  const std::string commands = plan_closed_table(is_new, known_, policed);
  if (commands.empty()) return {};
  if (auto done = owner_->run(commands); !done) {
    if (is_new) owner_.reset();  // else the table is as it was
    return fail(done, std::string("nftables table ") + kClosedTable);
  }
  known_ = policed;
  return {};
}

}  // namespace kubecni
