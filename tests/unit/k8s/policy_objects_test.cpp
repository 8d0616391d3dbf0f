#include "k8s/policy_objects.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni {
namespace {

TEST(PolicyObjects, AMixedListHasAllKinds) {
  const auto objects = parse_policy_objects(R"({"kind":"List","items":[
      {"kind":"NetworkPolicy","apiVersion":"networking.k8s.io/v1",
       "metadata":{"namespace":"a","name":"p"},"spec":{}},
      {"kind":"NetworkPolicy","apiVersion":"crd.example.net/v1",
       "metadata":{"namespace":"a","name":"p"},"spec":{}},
      {"kind":"Pod","metadata":{"namespace":"a","name":"p"}},
      {"kind":"Namespace","metadata":{"name":"a"}},
      {"kind":"Node","metadata":{"name":"a"}}]})");

  ASSERT_TRUE(objects.has_value()) << objects.error().what;
  ASSERT_EQ(objects->policies.size(), 1u);
  EXPECT_EQ(objects->policies[0]->key(), "a/p");
  ASSERT_EQ(objects->pods.size(), 1u);
  EXPECT_EQ(objects->pods[0]->key(), "a/p");
  ASSERT_EQ(objects->spaces.size(), 1u);
  EXPECT_EQ(objects->spaces[0]->name, "a");
}

TEST(PolicyObjects, ItemsOfATypedListNeedNoKind) {
  EXPECT_EQ(parse_policy_objects(R"({"kind":"PodList","items":[{"metadata":{"name":"a"}}]})")
                .value()
                .pods.size(),
            1u);
}

TEST(PolicyObjects, GarbageIsRefused) {
  for (const char* text :
       {"", "7", "{}", R"({"kind":"List"})", R"({"kind":"List","items":7})",
        R"({"kind":"Pod","items":[]})", R"({"kind":"List","items":[{"kind":"Pod"}]})",
        R"({"kind":"List","items":[{"kind":"Pod","metadata":{"name":"a","namespace":"n"}},
                                   {"kind":"Pod","metadata":{"name":"a","namespace":"n"}}]})"})
    EXPECT_EQ(parse_policy_objects(text).error().code, EINVAL) << text;
}

}  // namespace
}  // namespace kubecni
