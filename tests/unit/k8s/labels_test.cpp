#include "k8s/labels.hpp"

#include "base/json.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni {
namespace {

LabelSelector selector(const char* text) {
  return parse_selector(parse_json(text).value()).value();
}

TEST(LabelSelector, AllRequirementsHold) {
  const auto both = selector(R"({"matchLabels":{"app":"web"},
      "matchExpressions":[{"key":"tier","operator":"In","values":["b","a"]}]})");

  EXPECT_EQ(selector_text(both), R"(app="web",tier in ("a","b"))");
  EXPECT_TRUE(matches(both, {{"app", "web"}, {"tier", "a"}}));
  EXPECT_FALSE(matches(both, {{"app", "web"}}));
  EXPECT_FALSE(matches(both, {{"tier", "a"}}));
}

TEST(LabelSelector, AnEmptyOneSelectsEverything) {
  EXPECT_TRUE(matches(selector("{}"), {}));
  EXPECT_TRUE(matches(selector("null"), {}));
}

TEST(LabelSelector, AMissingKeyIsNotInAnyList) {
  const auto not_in =
      selector(R"({"matchExpressions":[{"key":"a","operator":"NotIn","values":["1"]}]})");
  const auto absent = selector(R"({"matchExpressions":[{"key":"a","operator":"DoesNotExist"}]})");
  const auto present = selector(R"({"matchExpressions":[{"key":"a","operator":"Exists"}]})");

  EXPECT_TRUE(matches(not_in, {}));
  EXPECT_FALSE(matches(not_in, {{"a", "1"}}));
  EXPECT_TRUE(matches(absent, {}));
  EXPECT_FALSE(matches(absent, {{"a", ""}}));
  EXPECT_TRUE(matches(present, {{"a", ""}}));
  EXPECT_FALSE(matches(present, {}));
}

TEST(LabelSelector, MalformedOnesAreRefused) {
  for (const char* text :
       {"7", "[]", R"({"matchLabels":[]})", R"({"matchLabels":{"a":1}})",
        R"({"matchExpressions":{}})", R"({"matchExpressions":[7]})",
        R"({"matchExpressions":[{"key":"a","operator":"Is"}]})",
        R"({"matchExpressions":[{"key":"","operator":"Exists"}]})",
        R"({"matchExpressions":[{"key":"a","operator":"In"}]})",
        R"({"matchExpressions":[{"key":"a","operator":"In","values":[1]}]})",
        R"({"matchExpressions":[{"key":"a","operator":"Exists","values":["1"]}]})"})
    EXPECT_EQ(parse_selector(parse_json(text).value()).error().code, EINVAL) << text;
}

TEST(ObjectLabels, AreTexts) {
  EXPECT_EQ(parse_labels(parse_json(R"({"metadata":{"labels":{"a":"b"}}})").value()).value(),
            (ObjectLabels{{"a", "b"}}));
  EXPECT_EQ(parse_labels(parse_json("{}").value()).value(), ObjectLabels());
  EXPECT_EQ(parse_labels(parse_json(R"({"metadata":{"labels":{"a":1}}})").value()).error().code,
            EINVAL);
  EXPECT_EQ(parse_labels(parse_json(R"({"metadata":{"labels":7}})").value()).error().code, EINVAL);
  const auto with_zero = parse_json(R"({"metadata":{"labels":{"a":"b\u0000c"}}})").value();
  EXPECT_EQ(parse_labels(with_zero).error().code, EINVAL);
}

TEST(ObjectLabels, AreFoundByTheirKeys) {
  const ObjectLabels labels{{"app", "web"}, {"none", ""}, {"tier", "app"}};

  EXPECT_EQ(labels.find("app"), "web");
  EXPECT_EQ(labels.find("none"), "");
  EXPECT_EQ(labels.find("tier"), "app");
  EXPECT_EQ(labels.find("web"), std::nullopt);
  EXPECT_EQ(labels.find("ap"), std::nullopt);
  EXPECT_EQ(labels.find(""), std::nullopt);
  EXPECT_EQ(ObjectLabels().find("app"), std::nullopt);
}

TEST(ObjectLabels, GoBackIntoAMap) {
  const ObjectLabels::Map map{{"a", ""}, {"b", "c"}, {"d/e", "f"}};
  EXPECT_EQ(ObjectLabels(map).map(), map);
  EXPECT_EQ(ObjectLabels({{"a", std::string("b\0c", 3)}, {"d", "e"}}), (ObjectLabels{{"d", "e"}}));
}

}  // namespace
}  // namespace kubecni
