#include "control/node_status/readiness.hpp"

#include "support/cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::HasSubstr;

TEST(Readiness, ANodeWithAPodCidrTakesPods) { EXPECT_EQ(why_no_pods("n1", view_of({})), ""); }

TEST(Readiness, WhatIsWrongBetweenNodesIsNoReason) {
  auto view = view_of({});
  view.skipped = {{"n2", "it has no InternalIP"}};

  EXPECT_EQ(why_no_pods("n1", view), "");
}

TEST(Readiness, AnUnknownNodeAsksForItsName) {
  auto view = view_of({node("n2", "192.0.2.2", "10.200.2.0/24")});
  view.self.reset();

  EXPECT_EQ(why_no_pods("n1", view),
            "no usable node is named n1; check --node-name and --node-source");
}

TEST(Readiness, ASkippedNodeSaysWhyItWas) {
  auto view = view_of({});
  view.self.reset();
  view.skipped = {{"n1", "it has no PodCIDR yet"}};

  EXPECT_EQ(why_no_pods("n1", view), "node n1: it has no PodCIDR yet");
}

TEST(Readiness, APodCidrThatAnotherNodeHasIsNamed) {
  const auto view = view_cluster(
      {{node("n0", "192.0.2.9", "10.200.1.0/24"), node("n1", "192.0.2.1", "10.200.1.0/24")}, {}},
      "n1", {});

  EXPECT_EQ(why_no_pods("n1", view),
            "node n1 has no PodCIDR of its own: PodCIDR 10.200.1.0/24 is already that of node n0");
}

TEST(Readiness, ANodeWhoseObjectIsGoneSaysSo) {
  const auto view = view_cluster({{node("n2", "192.0.2.2", "10.200.2.0/24")}, {}}, "n1",
                                 {.self = node("n1", "192.0.2.1", "10.200.1.0/24")});

  EXPECT_EQ(why_no_pods("n1", view),
            "the Node object n1 is gone; the node keeps its last known addresses and PodCIDRs");
}

}  // namespace
}  // namespace kubecni::test
