#include "k8s/object_fields.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni {
namespace {

using nlohmann::json;

const ObjectFields kFields = ObjectFields::of({"kind", "metadata.name", "spec.podCIDRs"});

json picked(std::string_view text) {
  auto value = pick_fields(text, kFields);
  return value ? *value : json("error: " + value.error().what);
}

TEST(ObjectFields, KeepWhatTheyNameAndNothingElse) {
  // Contains everything that could be mistaken for the end of something.
  EXPECT_EQ(
      picked(R"( { "a":[{"]":"}\\"},["\"{"]], "kind" : "Node","metadata":{"labels":{"name":"no"},
                       "name":"n1","n":-1.5e3} ,"spec":{"podCIDRs":["10.1.0.0/24", 7]},"z":null} )"),
      json({{"kind", "Node"},
            {"metadata", {{"name", "n1"}}},
            {"spec", {{"podCIDRs", {"10.1.0.0/24", 7}}}}}));
}

TEST(ObjectFields, ThatAreAbsentStayAbsent) {
  EXPECT_EQ(picked("{}"), json::object());
  EXPECT_EQ(picked(R"({"spec":{}})"), json({{"spec", json::object()}}));
}

TEST(ObjectFields, NonObjectIsKeptWhole) {
  EXPECT_EQ(picked(R"({"spec":["podCIDRs"],"metadata":"n1"})"),
            json({{"spec", {"podCIDRs"}}, {"metadata", "n1"}}));
  EXPECT_EQ(picked("[1, 2]"), json({1, 2}));
}

TEST(ObjectFields, AreFoundByNamesWithEscapes) {
  EXPECT_EQ(picked(R"({"k\u0069nd":"Node"})"), json({{"kind", "Node"}}));
}

TEST(ObjectFields, TheLastOfTwoCounts) {
  EXPECT_EQ(picked(R"({"spec":{"podCIDRs":1},"kind":"A","spec":{},"kind":"B"})"),
            json({{"kind", "B"}, {"spec", json::object()}}));
}

TEST(ObjectFields, OfBrokenTextAreRefused) {
  for (const char* text :
       {"", "{", "<html>", R"({"a":1)", R"({"a":"x)", R"({"a":"\"})", R"({"a":[})", R"({"a":[1}])",
        R"({"a" 1})", R"({"a":})", R"({"a":1,})", R"({"kind":tru})", R"({} {})", R"({"kind"})"}) {
    const auto value = pick_fields(text, kFields);

    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().code, EINVAL) << text;
    EXPECT_EQ(value.error().what.substr(0, 8), "not JSON") << value.error().what;
  }
}

TEST(ObjectFields, NestedTooDeepAreRefused) {
  const std::string deep = "{\"a\":" + std::string(100'000, '[');

  EXPECT_FALSE(pick_fields(deep + std::string(100'000, ']') + "}", kFields));
  EXPECT_FALSE(pick_fields(deep, kFields));
}

TEST(ObjectFields, ThatNameNothingKeepAll) {
  EXPECT_EQ(pick_fields(R"({"a":[1]})", {}).value(), json({{"a", {1}}}));
}

TEST(ObjectFields, APathInsideOfAnotherIsPartOfIt) {
  EXPECT_EQ(pick_fields(R"({"a":{"b":1,"c":2}})", ObjectFields::of({"a", "a.b"})).value(),
            json({{"a", {{"b", 1}, {"c", 2}}}}));
  EXPECT_EQ(pick_fields(R"({"a":{"b":1,"c":2}})", ObjectFields::of({"a.b", "a"})).value(),
            json({{"a", {{"b", 1}, {"c", 2}}}}));
}

}  // namespace
}  // namespace kubecni
