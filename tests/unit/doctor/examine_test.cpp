#include "doctor/examine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ForwardChains, ThatDropByPolicyAreNamed) {
  EXPECT_THAT(*dropping_forward_chains(R"({"nftables": [
        {"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
        {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "handle": 1,
                   "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}},
        {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "handle": 2,
                   "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "filter_FORWARD", "handle": 1,
                   "type": "filter", "hook": "forward", "prio": 10, "policy": "drop"}}]})"),
              ElementsAre("FORWARD of table ip filter", "filter_FORWARD of table inet firewalld"));
}

TEST(ForwardChains, ThatAcceptOrHookNothingAreNot) {
  EXPECT_THAT(*dropping_forward_chains(R"({"nftables": [
        {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "handle": 2,
                   "type": "filter", "hook": "forward", "prio": 0, "policy": "accept"}},
        {"chain": {"family": "ip", "table": "filter", "name": "forward-drop", "handle": 3}}]})"),
              IsEmpty());
}

TEST(ForwardChains, UnreadableOnesAreAnError) { EXPECT_FALSE(dropping_forward_chains("no JSON")); }

}  // namespace
}  // namespace kubecni
