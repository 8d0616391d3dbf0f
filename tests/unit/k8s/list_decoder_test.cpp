#include "k8s/list_decoder.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni {
namespace {

using nlohmann::json;

// Contains everything that could be mistaken for the end of something.
constexpr const char* kList =
    "{\"kind\":\"NodeList\",\"metadata\":{\"items\":[{\"not\":\"this\"}],\"continue\":\"\\\"\"},"
    "\"items\" : [ {\"a\":\"}],[{\\\\\"},\n{\"b\":[{\"c\":\"\\\",\"}],\"items\":[{}]}\t, {} ] }";

json items_of(ListDecoder& decoder, std::string_view text, std::size_t piece) {
  json all = json::array();
  for (std::size_t at = 0; at < text.size(); at += piece) {
    const auto items = decoder.feed(text.substr(at, piece)).value();
    for (const json& item : items) all.push_back(item);
  }
  return all;
}

TEST(ListDecoder, CutsAListIntoItsItemsWhereverThePiecesEnd) {
  const json whole = json::parse(kList);
  for (std::size_t piece = 1; piece <= std::string_view(kList).size(); ++piece) {
    ListDecoder decoder;
    EXPECT_EQ(items_of(decoder, kList, piece), whole["items"]) << piece;

    json rest = whole;
    rest["items"] = json::array();
    EXPECT_EQ(decoder.finish().value(), rest) << piece;
  }
}

TEST(ListDecoder, AListThatEndsTooEarlyIsNoList) {
  for (std::size_t length = 0; length + 1 < std::string_view(kList).size(); ++length) {
    ListDecoder decoder;
    items_of(decoder, std::string_view(kList).substr(0, length), length + 1);

    const auto list = decoder.finish();

    ASSERT_FALSE(list) << length;
    EXPECT_EQ(list.error().code, EBADMSG);
  }
}

TEST(ListDecoder, OtherMembersStayInTheList) {
  ListDecoder decoder;

  EXPECT_EQ(items_of(decoder, R"({"items":[{}, 3, [{"x":1}]]})", 5), json::array({json::object()}));

  // The commas belong to the items, so this is not JSON any more.
  EXPECT_FALSE(decoder.finish());
}

TEST(ListDecoder, AnItemThatIsNoJsonIsNamed) {
  const auto items = ListDecoder().feed(R"({"items":[{"a":}]})");

  ASSERT_FALSE(items);
  EXPECT_EQ(items.error().code, EBADMSG);
  EXPECT_EQ(items.error().what.substr(0, 14), "item of a list");
}

TEST(ListDecoder, EndlessItemsAndListsAreRefused) {
  for (const char* text : {R"({"items":[{"a":"01234567890)", R"({"a":"01234567890)"}) {
    const auto items = ListDecoder(16).feed(text);

    ASSERT_FALSE(items) << text;
    EXPECT_EQ(items.error().code, EMSGSIZE);
  }
}

TEST(ListDecoder, BracketsThatCloseNothingDoNoHarm) {
  ListDecoder decoder;

  EXPECT_TRUE(decoder.feed("]}]}{\"items\":[{}]}"));

  EXPECT_FALSE(decoder.finish());
}

}  // namespace
}  // namespace kubecni
