#pragma once

#include "base/ip.hpp"
#include "k8s/node.hpp"

#include <string>

namespace kubecni::test {

inline IpAddr addr(const std::string& text) { return IpAddr::parse(text).value(); }
inline IpNet net(const std::string& text) { return IpNet::parse(text).value(); }

inline Node node(const std::string& name, const std::string& internal_ip,
                 const std::string& pod_cidr) {
  return {name, {addr(internal_ip)}, {net(pod_cidr)}};
}

}  // namespace kubecni::test
