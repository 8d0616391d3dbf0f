#pragma once

#include "base/ip.hpp"

#include <string>

namespace kubecni::test {

inline IpAddr addr(const std::string& text) { return IpAddr::parse(text).value(); }
inline IpNet net(const std::string& text) { return IpNet::parse(text).value(); }

}  // namespace kubecni::test
