#include "control/policy/closed_table.hpp"

#include "support/ip.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ClosedTable, OfNobodyIsMadeByItself) {
  const std::string made = plan_closed_table(true, {}, {});

  EXPECT_THAT(made, HasSubstr("add table inet kube-cni-closed { flags owner; }"));
  EXPECT_THAT(made, HasSubstr("forward meta mark & 33554432 == 33554432 accept"));
  EXPECT_THAT(made, Not(HasSubstr("element")));
  EXPECT_EQ(plan_closed_table(false, {}, {}), "");
}

TEST(ClosedTable, PodsComeAndGo) {
  EXPECT_EQ(plan_closed_table(false, {addr("10.200.1.2"), addr("fd00::2")},
                              {addr("10.200.1.3"), addr("fd00::2")}),
            "add element inet kube-cni-closed pods4 { 10.200.1.3 }\n"
            "delete element inet kube-cni-closed pods4 { 10.200.1.2 }\n");
}

}  // namespace
}  // namespace kubecni::test
