#pragma once

#include "cluster.hpp"

#include <sys/socket.h>

#include <string>
#include <vector>

namespace kubecni::test {

/// Two nodes of one family, direct or through the tunnel, with the address of a Service. Pod `a`
/// and its neighbour are on the first node, `b` is on the other one.
struct ServedCluster {
  ServedCluster(int of_family, bool through_tunnel)
      : family(of_family),
        tunnel(through_tunnel),
        service_ip(IpAddr::parse(family == AF_INET ? "10.96.0.10" : "fd00:96::10").value()),
        cluster(
            {.families = family == AF_INET ? Families::kV4 : Families::kV6,
             .routing = tunnel ? std::vector<std::string>{"vxlan"} : std::vector<std::string>{}}) {}

  const int family;
  const bool tunnel;
  const IpAddr service_ip;
  Cluster cluster;
  Pod& a = *cluster.pod_a;
  Pod& b = *cluster.pod_b;
  Pod neighbour = cluster.add_pod(cluster.a, "neighbour");
};

}  // namespace kubecni::test
