#include "k8s/endpoint_slice.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni {
namespace {

using Addresses = std::vector<std::string>;

TEST(EndpointSlice, GivesTheReadyAddressesWithThePortOfHttps) {
  EXPECT_EQ(parse_endpoint_slice(R"({"kind":"EndpointSlice","addressType":"IPv4","endpoints":[
                {"addresses":["192.0.2.1"],"conditions":{"ready":true}},
                {"addresses":["192.0.2.2"],"conditions":{"ready":false}},
                {"addresses":["192.0.2.3"]}],
              "ports":[{"name":"dns","port":53},{"name":"https","port":6443}]})")
                .value(),
            (Addresses{"192.0.2.1:6443", "192.0.2.3:6443"}));
}

TEST(EndpointSlice, Ipv6AddressesAreInBrackets) {
  EXPECT_EQ(parse_endpoint_slice(R"({"endpoints":[{"addresses":["2001:db8::1"]}],
                                     "ports":[{"name":"https","port":443}]})")
                .value(),
            Addresses{"[2001:db8::1]:443"});
}

TEST(EndpointSlice, GarbageIsRefusedOrSkipped) {
  EXPECT_EQ(parse_endpoint_slice("<html>").error().code, EINVAL);
  for (const char* text : {"null", "[]", "{}", R"({"ports":7})", R"({"ports":[{"name":"https"}]})",
                           R"({"ports":[{"name":"https","port":70000}]})"})
    EXPECT_EQ(parse_endpoint_slice(text).error().code, EBADMSG) << text;
  for (const char* endpoints : {"7", "[7]", R"([{"addresses":"x"}])", R"([{"addresses":[{}]}])"})
    EXPECT_EQ(parse_endpoint_slice(std::string(R"({"ports":[{"name":"https","port":443}],)") +
                                   R"("endpoints":)" + endpoints + "}")
                  .value(),
              Addresses{})
        << endpoints;
}

}  // namespace
}  // namespace kubecni
