#include "doctor/examine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ForwardChains, ThatDropByPolicyAreNamed) {
  EXPECT_THAT(dropping_forward_chains("table ip filter {\n"
                                      "\tchain INPUT {\n"
                                      "\t\ttype filter hook input priority 0; policy drop;\n"
                                      "\t}\n"
                                      "\tchain FORWARD {\n"
                                      "\t\ttype filter hook forward priority 0; policy drop;\n"
                                      "\t}\n"
                                      "}\n"
                                      "table inet firewalld {\n"
                                      "\tchain filter_FORWARD {\n"
                                      "\t\ttype filter hook forward priority 10; policy drop;\n"
                                      "\t}\n"
                                      "}\n"),
              ElementsAre("FORWARD of table ip filter", "filter_FORWARD of table inet firewalld"));
}

TEST(ForwardChains, ThatAcceptOrHookNothingAreNot) {
  EXPECT_THAT(dropping_forward_chains("table ip filter {\n"
                                      "\tchain FORWARD {\n"
                                      "\t\ttype filter hook forward priority 0; policy accept;\n"
                                      "\t}\n"
                                      "\tchain forward-drop {\n"
                                      "\t}\n"
                                      "}\n"),
              IsEmpty());
}

}  // namespace
}  // namespace kubecni
