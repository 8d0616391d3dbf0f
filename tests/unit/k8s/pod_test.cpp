#include "k8s/pod.hpp"

#include "base/json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <netinet/in.h>

namespace kubecni {
namespace {

using testing::HasSubstr;

Pod pod(const char* text) { return parse_pod(parse_json(text).value()); }

TEST(Pod, HasWhatPoliciesAskFor) {
  const Pod web =
      pod(R"({"metadata":{"namespace":"shop","name":"web","uid":"u1","labels":{"a":"b"}},
      "spec":{"containers":[{"ports":[{"name":"http","containerPort":8080},{"containerPort":9}]},
                            {"ports":[{"name":"dns","containerPort":53,"protocol":"UDP"}]}],
              "initContainers":[{"ports":[{"name":"side","containerPort":7,"protocol":"SCTP"}]}]},
      "status":{"phase":"Running","podIP":"10.0.0.7","podIPs":[{"ip":"10.0.0.7"},{"ip":"fd00::7"}]}})");

  EXPECT_EQ(
      web,
      (Pod{.space = "shop",
           .name = "web",
           .uid = "u1",
           .labels = {{"a", "b"}},
           .addresses = {IpAddr::parse("10.0.0.7").value(), IpAddr::parse("fd00::7").value()},
           .ports = {
               {"dns", IPPROTO_UDP, 53}, {"http", IPPROTO_TCP, 8080}, {"side", IPPROTO_SCTP, 7}}}));
  EXPECT_TRUE(web.is_selectable());
}

// Its object's UID is another one than the runtime's.
TEST(Pod, ThatIsStaticHasNoUid) {
  EXPECT_EQ(pod(R"({"metadata":{"uid":"u1","ownerReferences":[{"kind":"Node","uid":"n1"}]}})").uid,
            "");
  EXPECT_EQ(pod(R"({"metadata":{"uid":"u1","ownerReferences":[{"kind":"Job"}]}})").uid, "u1");
}

TEST(Pod, WithoutAddressesIsSelectable) {
  EXPECT_TRUE(pod(R"({"metadata":{"name":"a"},"status":{"podIP":""}})").is_selectable());
}

TEST(Pod, ThatHasEndedOrIsOnTheHostsNetworkIsNotSelectable) {
  EXPECT_TRUE(pod(R"({"status":{"phase":"Failed"}})").has_ended);
  EXPECT_FALSE(pod(R"({"status":{"phase":"Succeeded"}})").is_selectable());
  EXPECT_FALSE(pod(R"({"spec":{"hostNetwork":true}})").is_selectable());
}

TEST(Pod, ThatIsMalformedSaysWhy) {
  for (const char* text :
       {R"({"metadata":{"labels":7}})", R"({"status":{"podIPs":[{"ip":"x"}]}})",
        R"({"status":{"podIP":7}})",
        R"({"spec":{"containers":[{"ports":[{"name":"a","containerPort":0}]}]}})",
        R"({"spec":{"containers":[{"ports":[{"name":"a","containerPort":65536}]}]}})",
        R"({"spec":{"containers":[{"ports":[{"name":"a","containerPort":1,"protocol":"X"}]}]}})"}) {
    EXPECT_NE(pod(text).problem, "") << text;
    EXPECT_FALSE(pod(text).is_selectable()) << text;
  }
  EXPECT_THAT(pod(R"({"metadata":{"namespace":"n","name":"p","labels":7}})").problem,
              HasSubstr("pod n/p: metadata.labels is 7"));
}

TEST(Namespace, HasItsNameAsALabel) {
  const auto shop =
      parse_namespace(parse_json(R"({"metadata":{"name":"shop","labels":{"a":"b"}}})").value());

  EXPECT_EQ(shop.labels, (ObjectLabels{{"a", "b"}, {"kubernetes.io/metadata.name", "shop"}}));
  EXPECT_EQ(shop.problem, "");
}

TEST(Namespace, ThatIsMalformedSaysWhy) {
  EXPECT_THAT(
      parse_namespace(parse_json(R"({"metadata":{"name":"n","labels":{"a":1}}})").value()).problem,
      HasSubstr("namespace n"));
}

}  // namespace
}  // namespace kubecni
