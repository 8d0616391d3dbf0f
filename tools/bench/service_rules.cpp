#include "bench/service_rules.hpp"

#include <sstream>

namespace kubecni::bench {

namespace {

/// A port of a Service, and the part of the names of its chains.
struct ServicePort {
  const ServiceSpec* service;
  const char* protocol;
  std::string id;
};

std::vector<ServicePort> ports_of(const std::vector<ServiceSpec>& services) {
  std::vector<ServicePort> ports;
  for (std::size_t i = 0; i < services.size(); ++i) {
    const std::string number = std::to_string(i);
    ports.push_back({&services[i], "tcp", "tcp-" + number});
    if (services[i].udp) ports.push_back({&services[i], "udp", "udp-" + number});
  }
  return ports;
}

/// Like kube-proxy 1.33: one chain a port and one an endpoint, found by one map.
std::string nft_rules(const std::vector<ServicePort>& ports, const std::string& cluster_cidr) {
  std::ostringstream rules, elements;
  rules << "table ip kube-proxy {\nchain mark-for-masquerade { meta mark set meta mark or 0x4000; "
           "}\n";
  for (const auto& [service, protocol, id] : ports) {
    const std::string backend = service->backend.str();
    rules << "chain endpoint-" << id << " {\n ip saddr " << backend
          << " jump mark-for-masquerade;\n meta l4proto " << protocol << " dnat to " << backend
          << ":" << service->backend_port << ";\n}\nchain service-" << id << " {\n ip daddr "
          << service->cluster_ip.str() << " " << protocol << " dport " << service->port
          << " ip saddr != " << cluster_cidr
          << " jump mark-for-masquerade;\n numgen random mod 1 vmap { 0 : goto endpoint-" << id
          << " };\n}\n";
    elements << " " << service->cluster_ip.str() << " . " << protocol << " . " << service->port
             << " : goto service-" << id << ",\n";
  }
  rules << "map service-ips { type ipv4_addr . inet_proto . inet_service : verdict; elements = {\n"
        << elements.str() << "} }\n"
        << "chain services { ip daddr . meta l4proto . th dport vmap @service-ips; }\n"
           "chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }\n"
           "chain nat-output { type nat hook output priority -100; jump services; }\n"
           "chain nat-postrouting { type nat hook postrouting priority srcnat;\n"
           " meta mark and 0x4000 == 0 return;\n meta mark set meta mark xor 0x4000;\n"
           " masquerade fully-random;\n}\n"
           "chain filter-forward { type filter hook forward priority filter;\n"
           " ct state invalid drop; }\n}\n";
  return rules.str();
}

std::string iptables_rules(const std::vector<ServicePort>& ports, const std::string& cluster_cidr) {
  std::ostringstream chains, rules;
  chains << "*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-POSTROUTING - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n";
  rules << "-A PREROUTING -j KUBE-SERVICES\n-A OUTPUT -j KUBE-SERVICES\n"
           "-A POSTROUTING -j KUBE-POSTROUTING\n"
           "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN\n"
           "-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000\n"
           "-A KUBE-POSTROUTING -j MASQUERADE --random-fully\n"
           "-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000\n";
  for (const auto& [service, protocol, id] : ports) {
    const std::string backend = service->backend.str(), cluster_ip = service->cluster_ip.str();
    const std::string match = std::string(" -p ") + protocol + " -m " + protocol;
    const std::string dport = " --dport " + std::to_string(service->port);
    chains << ":KUBE-SVC-" << id << " - [0:0]\n:KUBE-SEP-" << id << " - [0:0]\n";
    rules << "-A KUBE-SERVICES -d " << cluster_ip << "/32" << match << dport << " -j KUBE-SVC-"
          << id << "\n-A KUBE-SVC-" << id << " ! -s " << cluster_cidr << " -d " << cluster_ip
          << "/32" << match << dport << " -j KUBE-MARK-MASQ\n-A KUBE-SVC-" << id << " -j KUBE-SEP-"
          << id << "\n-A KUBE-SEP-" << id << " -s " << backend
          << "/32 -j KUBE-MARK-MASQ\n-A KUBE-SEP-" << id << match << " -j DNAT --to-destination "
          << backend << ":" << service->backend_port << "\n";
  }
  return chains.str() + rules.str() +
         "COMMIT\n*filter\n:KUBE-FORWARD - [0:0]\n-A FORWARD -j KUBE-FORWARD\n"
         "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP\n"
         "-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT\n"
         "-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\nCOMMIT\n";
}

}  // namespace

std::string service_rules(ProxyMode mode, const std::vector<ServiceSpec>& services,
                          const std::string& cluster_cidr) {
  const auto ports = ports_of(services);
  return mode == ProxyMode::kNft ? nft_rules(ports, cluster_cidr)
                                 : iptables_rules(ports, cluster_cidr);
}

std::vector<ServiceSpec> with_others(std::vector<ServiceSpec> wanted, unsigned count) {
  const IpAddr first_address = IpAddr::v4({10, 97, 0, 1});
  const IpAddr first_backend = IpAddr::v4({10, 210, 0, 1});
  // In front of them: the rules of the wanted ones are the last that are looked at.
  std::vector<ServiceSpec> all;
  for (unsigned i = 0; wanted.size() + i < count; ++i)
    all.push_back({.cluster_ip = first_address.plus(i), .backend = first_backend.plus(i)});
  all.insert(all.end(), wanted.begin(), wanted.end());
  return all;
}

}  // namespace kubecni::bench
