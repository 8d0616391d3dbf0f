#include "test_api_server/field_selector.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni::test {
namespace {

const nlohmann::json kPod{{"metadata", {{"name", "web"}}},
                          {"spec", {{"nodeName", "a"}}},
                          {"status", {{"phase", "Running"}}}};

bool selects(const std::string& selector) {
  return FieldSelector::parse(selector).value().selects(fields_of(kPod));
}

TEST(FieldSelector, AllTermsHaveToHold) {
  for (const char* selector : {"", "spec.nodeName=a", "spec.nodeName!=b", "metadata.namespace=",
                               "status.phase!=Failed,status.phase!=Succeeded,spec.nodeName=a"})
    EXPECT_TRUE(selects(selector)) << selector;
  for (const char* selector : {"spec.nodeName=b", "spec.nodeName!=a",
                               "spec.nodeName=", "spec.nodeName=a,status.phase!=Running"})
    EXPECT_FALSE(selects(selector)) << selector;
}

TEST(FieldSelector, OtherFieldsAreRefusedAsByTheServer) {
  for (const char* selector : {"spec.color=red", "spec.nodeName"})
    EXPECT_EQ(FieldSelector::parse(selector).error().code, EINVAL) << selector;
}

}  // namespace
}  // namespace kubecni::test
