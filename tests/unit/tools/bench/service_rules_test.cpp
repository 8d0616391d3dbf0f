#include "bench/service_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::bench {
namespace {

using testing::HasSubstr;
using testing::Not;

const ServiceSpec kService{
    .cluster_ip = IpAddr::v4({10, 96, 0, 1}), .backend = IpAddr::v4({10, 200, 1, 2}), .udp = true};

TEST(ServiceRules, TranslateByNftables) {
  const auto rules = service_rules(ProxyMode::kNft, {kService}, "10.200.0.0/16");

  EXPECT_THAT(rules, HasSubstr("10.96.0.1 . tcp . 80 : goto service-tcp-0"));
  EXPECT_THAT(rules, HasSubstr("meta l4proto udp dnat to 10.200.1.2:8080;"));
}

TEST(ServiceRules, TranslateByIptables) {
  const auto rules = service_rules(ProxyMode::kIptables, {kService}, "10.200.0.0/16");

  EXPECT_THAT(rules, HasSubstr("-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j "
                               "KUBE-SVC-tcp-0\n"));
  EXPECT_THAT(rules, HasSubstr("-A KUBE-SEP-udp-0 -p udp -m udp -j DNAT --to-destination "
                               "10.200.1.2:8080\n"));
}

TEST(ServiceRules, PutTheOthersInFront) {
  const auto all = with_others({kService}, 2000);

  ASSERT_EQ(all.size(), 2000u);
  EXPECT_EQ(all.back().cluster_ip, kService.cluster_ip);
  EXPECT_FALSE(all.front().udp);
  EXPECT_THAT(service_rules(ProxyMode::kNft, all, "10.200.0.0/16"),
              Not(HasSubstr("service-udp-0 ")));
}

TEST(ServiceRules, AreNotFewerThanWanted) {
  EXPECT_EQ(with_others({kService, kService}, 1).size(), 2u);
}

}  // namespace
}  // namespace kubecni::bench
