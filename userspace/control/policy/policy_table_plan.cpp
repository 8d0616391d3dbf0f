#include "control/policy/policy_table_plan.hpp"

#include "base/text.hpp"
#include "k8s/protocol.hpp"
#include "kubecni/abi.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <set>

namespace kubecni {

namespace {

struct TableFamily {
  int number;
  const char* suffix;
  const char* keyword;
  const char* type;
};
constexpr std::array kTableFamilies{TableFamily{AF_INET, "4", "ip", "ipv4_addr"},
                                    TableFamily{AF_INET6, "6", "ip6", "ipv6_addr"}};

constexpr std::size_t kLongestComment = 120;  // nft takes 128 bytes

constexpr const char* kLimit = "denied";

/// Whether the packets are of the flow's opener, or answers to it.
enum class Way { kOriginal, kReply };

std::string suffix_of(const TableFamily& family, Way way) {
  return std::string(family.suffix) + (way == Way::kReply ? "r" : "");
}

/// What the table lets pass gets the mark without which the programs drop a policed pod's packets.
std::string mark_as_judged() {
  return "meta mark set meta mark | " + std::to_string(KUBECNI_MARK_JUDGED);
}

/// Names come from objects of anybody.
std::string comment(const std::string& text) {
  std::string plain;
  for (const char c : text.substr(0, kLongestComment))
    plain += std::isalnum(static_cast<unsigned char>(c)) || std::string_view("-._/#:, ").contains(c)
                 ? c
                 : '?';
  return " comment \"" + plain + "\"";
}

/// Those that no other contains: the parts of a set may not overlap.
std::vector<IpNet> outermost(const std::vector<IpNet>& networks) {
  std::set<IpNet> apart;
  for (const IpNet& network : networks)
    if (std::ranges::none_of(networks, [&](const IpNet& other) {
          return other.prefix < network.prefix && other.contains(network);
        }))
      apart.insert(network.network());
  return {apart.begin(), apart.end()};
}

std::string text_of(const PortMatch& ports, Way way) {
  if (ports.protocol == 0) return "";
  const std::string protocol = protocol_name(ports.protocol);
  if (ports.ranges.empty()) return "meta l4proto " + protocol + " ";
  std::vector<std::string> ranges;
  ranges.reserve(ports.ranges.size());
  for (const PortRange& range : ports.ranges)
    ranges.push_back(std::to_string(range.first) +
                     (range.first == range.last ? "" : "-" + std::to_string(range.last)));
  const std::string list = ranges.size() == 1 ? ranges.front() : "{ " + joined(ranges) + " }";
  return protocol + (way == Way::kReply ? " sport " : " dport ") + list + " ";
}

class Planner {
 public:
  explicit Planner(const PolicyTableSpec& spec) : spec_(spec) {}

  PolicyTablePlan run() {
    for (const TableFamily& family : kTableFamilies) {
      add_fixed_sets(family);
      for (const auto& [name, chain] : spec_.policy.chains)
        for (const Way way : {Way::kOriginal, Way::kReply})
          add_chain(name + suffix_of(family, way), chain, family, way);
    }
    // One for all chains: a pod that sends much cannot flood the log.
    if (spec_.logs)
      plan_.sets[kLimit] = std::string("limit ") + kLimit + " { rate 10/second burst 20 packets; }";
    add_subjects();
    for (const IpAddr& address : spec_.open)
      plan_.elements["known" + family_of(address)].insert({.key = {address}});
    for (const IpAddr& address : spec_.closed)
      plan_.elements["closed" + family_of(address)].insert({.key = {address}});
    plan_.chains["passed"] = "\t\t" + mark_as_judged() + " accept\n";
    plan_.chains["allowed"] = allowed();
    plan_.chains["original"] = dispatch(Way::kOriginal);
    plan_.chains["reply"] = dispatch(Way::kReply);
    plan_.chains["judge"] = judge();
    for (const auto& [name, hook] : policy_base_chains()) plan_.chains[name] = "\t\t" + hook + "\n";
    plan_.chains["forward"] += "\t\tgoto judge\n";
    // IPVS sends what it translates by this hook. A node without an address sends from 0.0.0.0,
    // which is of the type broadcast.
    plan_.chains["output"] += "\t\tfib saddr type != { local, broadcast } goto judge\n";
    return std::move(plan_);
  }

 private:
  static std::string family_of(const IpAddr& address) { return address.is_v4() ? "4" : "6"; }

  void add_set(const std::string& name, const std::string& type, bool is_map = false) {
    plan_.sets[name] = (is_map ? "map " : "set ") + name + " { type " + type +
                       (is_map ? " : verdict" : "") + "; }";
    plan_.elements[name];
  }

  void add_fixed_sets(const TableFamily& family) {
    const std::string type = family.type;
    for (const char* name : {"known", "closed"}) add_set(std::string(name) + family.suffix, type);
    add_set(std::string("self") + family.suffix, type + " . " + type);
    for (const Way way : {Way::kOriginal, Way::kReply})
      for (const char* name : {"ingress", "egress"})
        add_set(name + suffix_of(family, way), type, true);
  }

  void add_subjects() {
    for (const auto& [address, subject] : spec_.policy.subjects) {
      const std::string family = family_of(address);
      plan_.elements["known" + family].insert({.key = {address}});
      if (!subject.is_isolated()) continue;
      plan_.elements["self" + family].insert({.key = {address, address}});
      for (const char* way : {"", "r"}) {
        const std::string suffix = family + way;
        if (!subject.ingress.empty())
          plan_.elements["ingress" + suffix].insert({{address}, subject.ingress + suffix});
        if (!subject.egress.empty())
          plan_.elements["egress" + suffix].insert({{address}, subject.egress + suffix});
      }
    }
  }

  /// What the peer has to be; nullopt: no address of this family is one.
  std::optional<std::string> peer_of(const PolicyTerm& term, const TableFamily& family,
                                     const std::string& field) {
    switch (term.peer.kind) {
      case PeerMatch::Kind::kAnyone:
        return "";
      case PeerMatch::Kind::kSet: {
        const std::string name = term.peer.set + "_" + family.suffix;
        if (!plan_.sets.contains(name)) {
          add_set(name, family.type);
          for (const IpAddr& address : spec_.policy.sets.at(term.peer.set))
            if (address.family() == family.number) plan_.elements[name].insert({.key = {address}});
        }
        return field + "@" + name + " ";
      }
      case PeerMatch::Kind::kBlock:
        break;
    }
    const IpBlock& block = term.peer.block;
    if (block.cidr.addr.family() != family.number) return std::nullopt;
    std::string text = block.cidr.prefix == 0 ? "" : field + block.cidr.str() + " ";
    // One set: a rule has room for some forty comparisons.
    std::vector<std::string> excepts;
    for (const IpNet& except : outermost(block.except)) {
      if (except.prefix == 0) return std::nullopt;
      excepts.push_back(except.str());
    }
    if (!excepts.empty()) text += field + "!= { " + joined(excepts) + " } ";
    return text;
  }

  void add_chain(const std::string& name, const PolicyChain& chain, const TableFamily& family,
                 Way way) {
    const bool is_source =
        (chain.direction == PolicyDirection::kIngress) == (way == Way::kOriginal);
    const std::string field = std::string(family.keyword) + (is_source ? " saddr " : " daddr ");
    std::string body;
    for (const PolicyTerm& term : chain.terms) {
      const auto peer = peer_of(term, family, field);
      if (!peer) continue;
      body += "\t\t" + *peer + text_of(term.ports, way) + "return" + comment(term.origin) + "\n";
    }
    if (spec_.logs)
      body += std::string("\t\tlimit name \"") + kLimit + "\" log prefix \"" + name + "\" group " +
              std::to_string(kDeniedLogGroup) + "\n";
    plan_.chains[name] = body + "\t\tcounter " + end_of(chain, way) +
                         comment("no rule of " + joined(chain.policies)) + "\n";
  }

  /// Only the pod that opens a flow hears that it may not. Others do not learn that the pod exists.
  [[nodiscard]] const char* end_of(const PolicyChain& chain, Way way) const {
    const bool is_of_opener = chain.direction == PolicyDirection::kEgress && way == Way::kOriginal;
    return spec_.rejects_egress && is_of_opener ? "reject with icmpx type admin-prohibited"
                                                : "drop";
  }

  /// To the chains of both ends.
  static std::string dispatch(Way way) {
    const bool is_original = way == Way::kOriginal;
    std::string body;
    for (const TableFamily& family : kTableFamilies)
      for (const bool is_egress : {true, false}) {
        const std::string keyword = family.keyword;
        body += "\t\t" + keyword + (is_egress == is_original ? " saddr" : " daddr") + " vmap @" +
                (is_egress ? "egress" : "ingress") + suffix_of(family, way) + "\n";
      }
    return body + "\t\tgoto allowed\n";
  }

  /// What pods of this node send or get gets the mark, and nothing else: others have rules for
  /// marks, too. While somebody removes the table, a packet on its way may miss the elements of the
  /// maps of chains, and then it misses those of these maps, too: the kernel ends them in the same
  /// instant. It does not so with sets.
  static std::string allowed() {
    const std::string passed4 = " meta nfproto vmap { ipv4 : goto passed }\n";
    const std::string passed6 = " meta nfproto vmap { ipv6 : goto passed }\n";
    return "\t\tip saddr @known4" + passed4 + "\t\tip daddr @known4" + passed4 +
           "\t\tip6 saddr @known6" + passed6 + "\t\tip6 daddr @known6" + passed6 +
           "\t\tip daddr { 224.0.0.0/4, 255.255.255.255 }" + passed4 + "\t\tip6 daddr ff00::/8" +
           passed6;
  }

  std::string judge() const {
    const std::string accept = mark_as_judged() + " accept";
    std::string body =
        "\t\ticmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, "
        "nd-neighbor-advert } ip6 hoplimit 255 " +
        accept +
        "\n"
        "\t\ticmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, "
        "mld2-listener-report } ip6 daddr ff00::/8 " +
        accept +
        "\n"
        // By number: the image has no /etc/protocols.
        "\t\tct state related meta l4proto { 1, 58 } goto allowed\n";
    for (const TableFamily& family : kTableFamilies) {
      const std::string keyword = family.keyword;
      const std::string suffix = family.suffix;
      std::set<std::string> own;
      for (const IpNet& net : spec_.own_pods)
        if (net.addr.family() == family.number) own.insert(net.network().str());
      body += "\t\t" + keyword + " saddr . " + keyword + " daddr @self" + suffix + " " + accept +
              " comment \"a pod reaches itself\"\n";
      for (const char* end : {" saddr ", " daddr "}) {
        const std::string field = keyword + end;
        body +=
            "\t\t" + field + "@closed" + suffix + " counter drop comment \"policy not known\"\n";
        for (const std::string& net : own)
          body += "\t\t" + field + net + " " + field + "!= @known" + suffix +
                  " counter drop comment \"policy not known\"\n";
      }
    }
    if (spec_.has_isolated_ingress())
      // No address says which pods get it. The guard of the bridge looks at who asks for an
      // address; without the mark, eBPF lets no pod with a policy have it.
      body +=
          "\t\tip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept comment "
          "\"a DHCP client asks\"\n"
          "\t\tip daddr { 224.0.0.0/4, 255.255.255.255 } counter drop comment \"to many\"\n"
          "\t\tip6 daddr ff00::/8 counter drop comment \"to many\"\n";
    return body +
           "\t\tct direction reply goto reply\n"
           "\t\tgoto original\n";
  }

  const PolicyTableSpec& spec_;
  PolicyTablePlan plan_;
};

}  // namespace

const std::map<std::string, std::string>& policy_base_chains() {
  static const std::map<std::string, std::string> kChains{
      {"forward", "type filter hook forward priority filter - 5; policy accept;"},
      {kOutputHook, "type filter hook output priority filter - 5; policy accept;"}};
  return kChains;
}

std::size_t key_parts(const std::string& set) { return set == "self4" || set == "self6" ? 2 : 1; }

PolicyTablePlan plan_policy_table(const PolicyTableSpec& spec) { return Planner(spec).run(); }

}  // namespace kubecni
