#include "k8s/node_table.hpp"

#include "k8s/list_decoder.hpp"
#include "test_api_server/api_server.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni {
namespace {

using nlohmann::json;
using test::make_node;
using test::make_node_list;
using Type = WatchEvent::Type;

json node(int number, int version = 0) {
  const std::string n = std::to_string(number);
  json object = make_node("n" + n, "192.0.2." + n, "10." + n + ".0.0/24");
  if (version > 0) object["metadata"]["resourceVersion"] = std::to_string(version);
  return object;
}

json page(const std::vector<json>& nodes, const std::string& version,
          const std::string& next = "") {
  json list = make_node_list(nodes);
  list["metadata"] = {{"resourceVersion", version}, {"continue", next}};
  return list;
}

/// Gives `table` a page, as the source does.
Result<std::string> add_page(NodeTable& table, const json& page) {
  ListDecoder decoder;
  const auto items = decoder.feed(page.dump()).value();
  for (const json& item : items) table.add_item(item);
  return table.end_page(decoder.finish().value());
}

std::string names(const NodeTable& table) {
  std::string all;
  for (const Node& known : table.snapshot().nodes) all += (all.empty() ? "" : " ") + known.name;
  return all;
}

/// A table that has listed n1 and n2 at resourceVersion 10.
NodeTable listed_table() {
  NodeTable table;
  table.begin_list();
  EXPECT_TRUE(add_page(table, page({node(1), node(2)}, "10")));
  return table;
}

TEST(NodeTable, NeedsAListAtFirst) { EXPECT_TRUE(NodeTable().needs_list()); }

TEST(NodeTable, APagedListShowsUpWithItsLastPage) {
  NodeTable table;
  table.begin_list();

  EXPECT_EQ(add_page(table, page({node(2)}, "10", "token")), "token");
  EXPECT_EQ(names(table), "");
  EXPECT_TRUE(table.needs_list());
  EXPECT_EQ(add_page(table, page({node(1)}, "10")), "");

  EXPECT_EQ(names(table), "n1 n2");
  EXPECT_EQ(table.resource_version(), "10");
}

TEST(NodeTable, AListThatWasBrokenOffLeavesNothingBehind) {
  NodeTable table = listed_table();
  table.begin_list();
  ASSERT_TRUE(add_page(table, page({node(7)}, "20", "token")));

  table.begin_list();
  ASSERT_TRUE(add_page(table, page({node(3)}, "21")));

  EXPECT_EQ(names(table), "n3");
}

TEST(NodeTable, WhatIsNoPageIsRefusedAndChangesNothing) {
  NodeTable table = listed_table();
  json no_version = page({}, "");
  json no_items = page({}, "9");
  no_items["items"] = "none";
  json no_objects = page({}, "9");
  no_objects["items"] = {"n7"};

  for (const json& garbage : {json(), json(3), json::array(), json::object(),
                              json{{"kind", "Status"}}, no_version, no_items, no_objects}) {
    const auto next = add_page(table, garbage);

    ASSERT_FALSE(next) << garbage;
    EXPECT_EQ(next.error().code, EBADMSG);
  }
  EXPECT_EQ(names(table), "n1 n2");
  EXPECT_EQ(table.resource_version(), "10");
}

TEST(NodeTable, EventsAddChangeAndDelete) {
  NodeTable table = listed_table();
  json moved = node(1, 12);
  moved["status"]["addresses"][0]["address"] = "192.0.2.99";

  EXPECT_EQ(table.apply({Type::kAdded, node(3, 11)}), true);
  EXPECT_EQ(table.apply({Type::kModified, moved}), true);
  EXPECT_EQ(table.apply({Type::kDeleted, node(2, 13)}), true);

  EXPECT_EQ(names(table), "n1 n3");
  EXPECT_EQ(table.snapshot().nodes[0].internal_ips[0].str(), "192.0.2.99");
  EXPECT_EQ(table.resource_version(), "13");
}

TEST(NodeTable, AnEventThatChangesNothingForUsIsNoChange) {
  NodeTable table = listed_table();
  json heartbeat = node(1, 11);
  heartbeat["status"]["conditions"] = {{{"type", "Ready"}}};

  EXPECT_EQ(table.apply({Type::kModified, heartbeat}), false);
  EXPECT_EQ(table.apply({Type::kDeleted, node(9, 12)}), false);

  EXPECT_EQ(table.resource_version(), "12");
}

TEST(NodeTable, ABookmarkOnlyMovesTheResourceVersion) {
  NodeTable table = listed_table();

  EXPECT_EQ(table.apply({Type::kBookmark, {{"metadata", {{"resourceVersion", "44"}}}}}), false);

  EXPECT_EQ(table.resource_version(), "44");
  EXPECT_EQ(names(table), "n1 n2");
}

TEST(NodeTable, ANodeThatTurnsMalformedMovesToSkippedAndBack) {
  NodeTable table = listed_table();
  json broken = node(1, 11);
  broken["spec"]["podCIDRs"] = {17};

  EXPECT_EQ(table.apply({Type::kModified, broken}), true);
  EXPECT_EQ(names(table), "n2");
  ASSERT_EQ(table.snapshot().skipped.size(), 1u);
  EXPECT_EQ(table.snapshot().skipped[0].name, "n1");
  EXPECT_EQ(table.apply({Type::kModified, broken}), false);

  EXPECT_EQ(table.apply({Type::kModified, node(1, 12)}), true);
  EXPECT_EQ(names(table), "n1 n2");
  EXPECT_TRUE(table.snapshot().skipped.empty());
}

TEST(NodeTable, AnExpiredHistoryAsksForAListAndKeepsTheNodes) {
  NodeTable table = listed_table();

  const auto applied = table.apply({Type::kError, {{"kind", "Status"}, {"code", 410}}});

  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, ESTALE);
  EXPECT_TRUE(table.needs_list());
  EXPECT_EQ(names(table), "n1 n2");
}

TEST(NodeTable, AnyOtherErrorEventAsksForAListToo) {
  NodeTable table = listed_table();

  const auto applied = table.apply({Type::kError, {{"code", 500}, {"message", "etcd is away"}}});

  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, EREMOTEIO);
  EXPECT_EQ(applied.error().what, "the server ended the watch: code 500, \"etcd is away\"");
  EXPECT_TRUE(table.needs_list());
}

}  // namespace
}  // namespace kubecni
