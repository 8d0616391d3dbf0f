#include "base/socket_address.hpp"

#include "support/ip.hpp"

#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

TEST(SocketAddress, HoldsAddressAndPortOfEitherFamily) {
  for (const char* text : {"192.0.2.7", "2001:db8::7"}) {
    const IpAddr ip = addr(text);

    const auto address = SocketAddress::of(ip, 8484);

    EXPECT_EQ(address.get()->sa_family, ip.family());
    EXPECT_EQ(address.size, ip.is_v4() ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    EXPECT_EQ(ip_of(address.get()), ip);
    EXPECT_EQ(address.port(), 8484);
  }
}

}  // namespace
}  // namespace kubecni::test
