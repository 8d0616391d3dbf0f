#include "dataplane/host_port_table.hpp"

#include "dataplane/host_port_elements.hpp"
#include "net/nft_batch.hpp"
#include "net/sysctl.hpp"

#include <linux/netfilter.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

namespace kubecni {

namespace {

using enum NftType;
using Family = HostPortFamily;

constexpr const char* kComment = "host ports of pods; kube-cnid undoes changes by others";

// Before the chains of others that translate destinations (-100): rules that the plugin portmap
// left for a pod that is gone must not get what is for a pod that lives.
constexpr int kBeforeOthers = -101;
constexpr int kRaw = -300;  ///< before conntrack, which translates answers
constexpr int kSourceNat = 100;

void add_translation(NftBatch& batch, const Family& family) {
  batch.add_rule("to_pods", "a port of one address", [&](NftRule& rule) {
    const unsigned slots = family.number == AF_INET ? 1 : 4;
    rule.is_family(family.number)
        .load_destination(family.number, 0)
        .load_protocol(slots)
        .load_destination_port(slots + 1)
        .look_up(family.address_ports)
        .dnat(family.number);
  });
  batch.add_rule("to_pods", "a port of all addresses", [&](NftRule& rule) {
    rule.is_family(family.number)
        .load_protocol(0)
        .load_destination_port(1)
        .look_up(family.ports)
        .dnat(family.number);
  });
  batch.add_rule("postrouting", "a pod that calls its own port", [&](NftRule& rule) {
    const unsigned slots = family.number == AF_INET ? 1 : 4;
    rule.is_family(family.number)
        .load_source(family.number, 0)
        .load_destination(family.number, slots)
        .is_in(family.pods)
        .masquerade();
  });
}

/// Others may neither reach what listens on 127.0.0.1, nor send as it, though the bridge lets such
/// packets be routed.
void add_localhost(NftBatch& batch) {
  batch.add_rule("postrouting", "localhost calls a pod's port", [](NftRule& rule) {
    rule.is_family(AF_INET)
        .has_loopback_source()
        .has_interface("lo", false, false)
        .was_dnatted()
        .masquerade();
  });
  batch.add_rule("localhost", "to localhost from elsewhere", [](NftRule& rule) {
    rule.has_interface("lo", true, false)
        .is_family(AF_INET)
        .has_loopback_destination()
        .count()
        .drop();
  });
  batch.add_rule("localhost", "from elsewhere as localhost", [](NftRule& rule) {
    rule.has_interface("lo", true, false).is_family(AF_INET).has_loopback_source().count().drop();
  });
}

void add_structure(NftBatch& batch) {
  batch.ensure_table(kComment);
  for (const Family& family : host_port_families()) {
    batch.ensure_set(family.ports, {{kProtocol, kPort}, {family.address, kPort}});
    batch.ensure_set(family.address_ports,
                     {{family.address, kProtocol, kPort}, {family.address, kPort}});
    batch.ensure_set(family.pods, {{family.address, family.address}});
  }
  batch.ensure_chain("to_pods");
  batch.ensure_chain("prerouting", NftHook{"nat", NF_INET_PRE_ROUTING, kBeforeOthers});
  batch.ensure_chain("output", NftHook{"nat", NF_INET_LOCAL_OUT, kBeforeOthers});
  batch.ensure_chain("postrouting", NftHook{"nat", NF_INET_POST_ROUTING, kSourceNat});
  batch.ensure_chain("localhost", NftHook{"filter", NF_INET_PRE_ROUTING, kRaw});
  batch.delete_all_rules();
  for (const char* chain : {"prerouting", "output"})
    batch.add_rule(chain, "to this node",
                   [](NftRule& rule) { rule.goes_to_this_host().jump("to_pods"); });
  for (const Family& family : host_port_families()) add_translation(batch, family);
  add_localhost(batch);
}

const std::string kName = std::string("nftables table inet ") + kHostPortTable;

/// Says what helps.
Result<> explained(Result<> done) {
  if (done) return done;
  const int code = done.error().code;
  if (code == ENOENT || code == EOPNOTSUPP || code == EPROTONOSUPPORT || code == EAFNOSUPPORT)
    return failure(code, done.error().what +
                             "; the kernel needs nf_tables, nft_chain_nat, nft_nat, nft_masq, "
                             "nft_ct and nft_fib_inet: load these modules");
  return done;
}

Result<bool> set_localhost_ports(const std::string& device, const char* value) {
  auto written = ensure_sysctl("net/ipv4/conf/" + device + "/route_localnet", value);
  if (!written) return fail(written, "host ports at 127.0.0.1");
  return written;
}

}  // namespace

Result<> write_host_port_table(const HostPortElements& before, const HostPortElements& after) {
  NftBatch batch(kHostPortTable);
  add_structure(batch);
  add_element_changes(batch, before, after);
  if (batch.commit(kName)) return {};
  // What is there cannot become it, like a set of another type.
  NftBatch anew(kHostPortTable);
  anew.ensure_table(kComment);
  anew.delete_table();
  add_structure(anew);
  add_element_changes(anew, {}, after);
  return explained(anew.commit(kName));
}

Result<> change_host_ports(const HostPortElements& before, const HostPortElements& after) {
  NftBatch batch(kHostPortTable);
  add_element_changes(batch, before, after);
  return batch.commit(kName);
}

Result<bool> remove_host_port_table() {
  NftBatch batch(kHostPortTable);
  batch.delete_table();
  auto removed = batch.commit("remove " + kName);
  // EINVAL and EPROTONOSUPPORT: the kernel has no nftables.
  if (!removed && (removed.error().code == ENOENT || removed.error().code == EINVAL ||
                   removed.error().code == EPROTONOSUPPORT))
    return false;
  if (!removed) return fail(removed);
  return true;
}

Result<bool> ensure_localhost_ports(const std::string& device) {
  return set_localhost_ports(device, "1");
}

Result<bool> forbid_localhost_ports(const std::string& device) {
  auto written = set_localhost_ports(device, "0");
  if (!written && written.error().code == ENOENT) return false;  // no such device
  return written;
}

}  // namespace kubecni
