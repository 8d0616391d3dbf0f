#include "kube_proxy.hpp"

#include <sstream>

namespace kubecni::test {

namespace {

/// How the rules of a family are written.
struct Dialect {
  explicit Dialect(const ProxiedService& service)
      : v4(service.cluster_ip.is_v4()),
        protocol(service.protocol == IPPROTO_UDP ? "udp" : "tcp"),
        cluster_cidr(v4 ? "10.200.0.0/16" : "fd00:10::/32") {}

  [[nodiscard]] std::string endpoint(const IpAddr& addr, std::uint16_t port) const {
    return (v4 ? addr.str() : "[" + addr.str() + "]") + ":" + std::to_string(port);
  }

  bool v4;
  std::string protocol;
  std::string cluster_cidr;
};

/// Services that nobody calls.
std::vector<ProxiedService> others_than(const ProxiedService& service) {
  const bool v4 = service.cluster_ip.is_v4();
  std::vector<ProxiedService> others;
  for (unsigned i = 0; i < service.others; ++i)
    others.push_back(
        {.cluster_ip = IpAddr::parse(v4 ? "10.97.0.1" : "fd00:97::1").value().plus(i),
         .backends = {IpAddr::parse(v4 ? "10.210.0.1" : "fd00:210::1").value().plus(i)}});
  return others;
}

/// One of `backends` at random, each by a chain PREFIX0, PREFIX1, ...
std::string nft_choice(std::size_t backends, const std::string& prefix) {
  if (backends == 0) return "drop;";
  std::ostringstream text;
  text << "numgen random mod " << backends << " vmap { ";
  for (std::size_t i = 0; i < backends; ++i)
    text << (i ? ", " : "") << i << " : goto " << prefix << i;
  text << " };";
  return text.str();
}

void nft_endpoints(std::ostream& rules, const ProxiedService& service, const Dialect& in,
                   const std::vector<IpAddr>& backends, const std::string& prefix) {
  for (std::size_t i = 0; i < backends.size(); ++i)
    rules << "chain " << prefix << i << " {\n"
          << "  " << (in.v4 ? "ip" : "ip6") << " saddr " << backends[i].str()
          << " jump mark-for-masquerade;\n"
          << "  meta l4proto " << in.protocol << " dnat to "
          << in.endpoint(backends[i], service.backend_port) << ";\n}\n";
}

std::string nft_rules(const ProxiedService& service, const std::vector<IpAddr>& local) {
  const Dialect in(service);
  const std::string ip = in.v4 ? "ip" : "ip6";
  const std::string table = ip + " kube-proxy";
  std::ostringstream rules;
  rules << "table " << table << " { }\ndelete table " << table << "\ntable " << table << " {\n"
        << "chain mark-for-masquerade { meta mark set meta mark or 0x4000; }\n";
  nft_endpoints(rules, service, in, service.backends, "endpoint-");
  nft_endpoints(rules, service, in, local, "local-");
  rules << "chain service {\n"
        << "  " << ip << " daddr " << service.cluster_ip.str() << " " << in.protocol << " dport "
        << service.port << " " << ip << " saddr != " << in.cluster_cidr
        << " jump mark-for-masquerade;\n"
        << "  " << nft_choice(service.backends.size(), "endpoint-") << "\n}\n";
  rules << "chain external {\n";
  if (service.local)
    rules << "  " << ip << " saddr " << in.cluster_cidr << " goto service;\n"
          << "  fib saddr type local jump mark-for-masquerade;\n"
          << "  fib saddr type local goto service;\n"
          << "  " << nft_choice(local.size(), "local-") << "\n}\n";
  else
    rules << "  jump mark-for-masquerade;\n  goto service;\n}\n";
  std::ostringstream elements;
  unsigned number = 0;
  for (const ProxiedService& other : others_than(service)) {
    const std::string prefix = "other-" + std::to_string(number++) + "-";
    nft_endpoints(rules, other, in, other.backends, prefix);
    elements << other.cluster_ip.str() << " . " << in.protocol << " . " << other.port << " : goto "
             << prefix << "0, ";
  }
  rules << "map service-ips { type " << (in.v4 ? "ipv4_addr" : "ipv6_addr")
        << " . inet_proto . inet_service : verdict; elements = { " << elements.str()
        << service.cluster_ip.str() << " . " << in.protocol << " . " << service.port
        << " : goto service } }\n"
        << "chain services {\n"
        << "  " << ip << " daddr . meta l4proto . th dport vmap @service-ips;\n";
  if (service.node_port)
    rules << "  fib daddr type local meta l4proto . th dport vmap { " << in.protocol << " . "
          << service.node_port << " : goto external };\n";
  rules << "}\n"
        << "chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }\n"
        << "chain nat-output { type nat hook output priority -100; jump services; }\n"
        << "chain nat-postrouting { type nat hook postrouting priority srcnat;\n"
        << "  meta mark and 0x4000 == 0 return;\n"
        << "  meta mark set meta mark xor 0x4000;\n"
        << "  masquerade fully-random;\n}\n"
        << "chain filter-forward { type filter hook forward priority filter;\n"
        << "  ct state invalid counter drop; }\n}\n";
  return rules.str();
}

/// A chain of the KUBE-SVC kind: one of the chains PREFIX0, PREFIX1, ... at random.
void iptables_choice(std::ostream& rules, const std::string& chain, std::size_t backends,
                     const std::string& prefix) {
  for (std::size_t i = 0; i < backends; ++i) {
    rules << "-A " << chain;
    if (i + 1 < backends)
      rules << " -m statistic --mode random --probability "
            << 1.0 / static_cast<double>(backends - i);
    rules << " -j " << prefix << i << "\n";
  }
}

void iptables_endpoints(std::ostream& chains, std::ostream& rules, const ProxiedService& service,
                        const Dialect& in, const std::vector<IpAddr>& backends,
                        const std::string& prefix) {
  for (std::size_t i = 0; i < backends.size(); ++i) {
    chains << ":" << prefix << i << " - [0:0]\n";
    rules << "-A " << prefix << i << " -s " << backends[i].str() << " -j KUBE-MARK-MASQ\n"
          << "-A " << prefix << i << " -p " << in.protocol << " -m " << in.protocol
          << " -j DNAT --to-destination " << in.endpoint(backends[i], service.backend_port) << "\n";
  }
}

void iptables_external(std::ostream& rules, const ProxiedService& service, const Dialect& in) {
  if (!service.local) {
    rules << "-A KUBE-EXT -j KUBE-MARK-MASQ\n-A KUBE-EXT -j KUBE-SVC\n";
    return;
  }
  rules << "-A KUBE-EXT -s " << in.cluster_cidr << " -j KUBE-SVC\n"
        << "-A KUBE-EXT -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ\n"
        << "-A KUBE-EXT -m addrtype --src-type LOCAL -j KUBE-SVC\n"
        << "-A KUBE-EXT -j KUBE-SVL\n";
}

std::string iptables_rules(const ProxiedService& service, const std::vector<IpAddr>& local) {
  const Dialect in(service);
  const std::string match = " -p " + in.protocol + " -m " + in.protocol + " --dport ";
  std::ostringstream chains;
  std::ostringstream rules;
  chains << "*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-NODEPORTS - [0:0]\n:KUBE-POSTROUTING - [0:0]\n"
         << ":KUBE-MARK-MASQ - [0:0]\n:KUBE-SVC - [0:0]\n:KUBE-EXT - [0:0]\n:KUBE-SVL - [0:0]\n";
  rules << "-A PREROUTING -j KUBE-SERVICES\n-A OUTPUT -j KUBE-SERVICES\n"
        << "-A POSTROUTING -j KUBE-POSTROUTING\n"
        << "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN\n"
        << "-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000\n"
        << "-A KUBE-POSTROUTING -j MASQUERADE --random-fully\n"
        << "-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000\n";
  unsigned number = 0;
  for (const ProxiedService& other : others_than(service)) {
    const std::string prefix = "KUBE-OTHER-" + std::to_string(number++) + "-";
    iptables_endpoints(chains, rules, other, in, other.backends, prefix);
    rules << "-A KUBE-SERVICES -d " << other.cluster_ip.str() << match << other.port << " -j "
          << prefix << "0\n";
  }
  rules << "-A KUBE-SERVICES -d " << service.cluster_ip.str() << match << service.port
        << " -j KUBE-SVC\n"
        << "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n"
        << "-A KUBE-SVC ! -s " << in.cluster_cidr << " -d " << service.cluster_ip.str() << match
        << service.port << " -j KUBE-MARK-MASQ\n";
  if (service.node_port)
    rules << "-A KUBE-NODEPORTS" << match << service.node_port << " -j KUBE-EXT\n";
  iptables_external(rules, service, in);
  iptables_choice(rules, "KUBE-SVC", service.backends.size(), "KUBE-SEP-");
  iptables_choice(rules, "KUBE-SVL", local.size(), "KUBE-LOC-");
  iptables_endpoints(chains, rules, service, in, service.backends, "KUBE-SEP-");
  iptables_endpoints(chains, rules, service, in, local, "KUBE-LOC-");
  return chains.str() + rules.str() +
         "COMMIT\n*filter\n:KUBE-FORWARD - [0:0]\n"
         "-A FORWARD -j KUBE-FORWARD\n"
         "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP\n"
         "-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT\n"
         "-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\nCOMMIT\n";
}

}  // namespace

std::string name_of(const ProxySetting& setting) {
  const auto [kind, family, tunnel] = setting;
  return std::string(kind == ProxyKind::kNft ? "nft" : "iptables") +
         (family == AF_INET ? "_v4" : "_v6") + (tunnel ? "_vxlan" : "_direct");
}

void apply_kube_proxy(ProxyKind kind, const Node& node, const ProxiedService& service,
                      const std::vector<IpAddr>& local_backends) {
  const bool nft = kind == ProxyKind::kNft;
  const std::string restore = service.cluster_ip.is_v4() ? "iptables-restore" : "ip6tables-restore";
  must_run(
      {.argv = nft ? std::vector<std::string>{"nft", "-f", "-"} : std::vector<std::string>{restore},
       .input = nft ? nft_rules(service, local_backends) : iptables_rules(service, local_backends),
       .netns_fd = node.netns.fd()});
}

}  // namespace kubecni::test
