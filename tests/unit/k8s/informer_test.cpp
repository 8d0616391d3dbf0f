#include "k8s/informer.hpp"

#include "await.hpp"
#include "k8s/kinds.hpp"
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

using Nodes = Informer<NodeEntry, NodeTable>;

json node_item(int number, int version = 0) {
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
Result<std::string> add_page(Nodes& table, const json& page) {
  ListDecoder decoder;
  const auto items = decoder.feed(page.dump()).value();
  for (const json& item : items) table.add_item(item);
  return table.end_page(decoder.finish().value());
}

NodeSnapshot snapshot_of(const Nodes& table) {
  return table.read([](const NodeTable& nodes) { return nodes.snapshot(); });
}

std::string names(const Nodes& table) {
  std::string all;
  for (const Node& known : snapshot_of(table).nodes) all += (all.empty() ? "" : " ") + known.name;
  return all;
}

std::unique_ptr<Nodes> empty_table() { return std::move(*Nodes::create(kNodes)); }

/// One that has listed n1 and n2 at resourceVersion 10, and reported them.
std::unique_ptr<Nodes> listed_table() {
  auto table = empty_table();
  table->begin_list();
  EXPECT_TRUE(add_page(*table, page({node_item(1), node_item(2)}, "10")));
  table->take();
  return table;
}

/// The pending deltas of `table`: "+n3 -n1 ~n2".
std::string deltas_of(Nodes& table) {
  const auto news = table.take();
  if (!news) return "no news";
  if (!*news) return "error: " + news->error().what;
  std::string all;
  for (const Delta& delta : **news) {
    const char* sign = delta.change == Change::kAdded ? "+" : "~";
    if (delta.change == Change::kRemoved) sign = "-";
    all += (all.empty() ? "" : " ") + (sign + delta.key);
  }
  return all;
}

TEST(Informer, NeedsAListAtFirst) { EXPECT_TRUE(empty_table()->needs_list()); }

TEST(Informer, APagedListShowsUpWithItsLastPage) {
  const auto table = empty_table();
  table->begin_list();

  EXPECT_EQ(add_page(*table, page({node_item(2)}, "10", "token")), "token");
  EXPECT_EQ(names(*table), "");
  EXPECT_TRUE(table->needs_list());
  EXPECT_EQ(add_page(*table, page({node_item(1)}, "10")), "");

  EXPECT_EQ(names(*table), "n1 n2");
  EXPECT_EQ(table->resource_version(), "10");
}

TEST(Informer, AListThatWasBrokenOffLeavesNothingBehind) {
  const auto table = listed_table();
  table->begin_list();
  ASSERT_TRUE(add_page(*table, page({node_item(7)}, "20", "token")));

  table->begin_list();
  ASSERT_TRUE(add_page(*table, page({node_item(3)}, "21")));

  EXPECT_EQ(names(*table), "n3");
}

TEST(Informer, AfterForgettingNothingIsKnownAndTheNextListIsNews) {
  const auto table = listed_table();
  const auto count = [](const NodeTable& nodes) { return nodes.snapshot().nodes.size(); };
  EXPECT_EQ(table->read_listed(count), 2u);
  table->failed({.code = EIO, .what = "gone"});

  table->forget();

  EXPECT_EQ(names(*table), "");
  EXPECT_EQ(table->read_listed(count), std::nullopt);
  EXPECT_TRUE(table->needs_list());
  EXPECT_EQ(table->status().error, "");
  EXPECT_EQ(deltas_of(*table), "no news");
  table->begin_list();
  ASSERT_TRUE(add_page(*table, page({}, "11")));
  EXPECT_EQ(deltas_of(*table), "") << "an empty list, too";
  EXPECT_EQ(table->read_listed(count), 0u);
}

TEST(Informer, InvalidPageIsRefusedAndChangesNothing) {
  const auto table = listed_table();
  json no_version = page({}, "");
  json no_items = page({}, "9");
  no_items["items"] = "none";
  json no_objects = page({}, "9");
  no_objects["items"] = {"n7"};

  for (const json& garbage : {json(), json(3), json::array(), json::object(),
                              json{{"kind", "Status"}}, no_version, no_items, no_objects}) {
    const auto next = add_page(*table, garbage);

    ASSERT_FALSE(next) << garbage;
    EXPECT_EQ(next.error().code, EBADMSG);
  }
  EXPECT_EQ(names(*table), "n1 n2");
  EXPECT_EQ(table->resource_version(), "10");
}

TEST(Informer, EventsAddChangeAndDelete) {
  const auto table = listed_table();
  json moved = node_item(1, 12);
  moved["status"]["addresses"][0]["address"] = "192.0.2.99";

  EXPECT_EQ(table->apply({Type::kAdded, node_item(3, 11)}), true);
  EXPECT_EQ(table->apply({Type::kModified, moved}), true);
  EXPECT_EQ(table->apply({Type::kDeleted, node_item(2, 13)}), true);

  EXPECT_EQ(names(*table), "n1 n3");
  EXPECT_EQ(snapshot_of(*table).nodes[0].internal_ips[0].str(), "192.0.2.99");
  EXPECT_EQ(table->resource_version(), "13");
}

TEST(Informer, AnEventThatChangesNothingForUsIsNoChange) {
  const auto table = listed_table();
  json heartbeat = node_item(1, 11);
  heartbeat["status"]["conditions"] = {{{"type", "Ready"}}};

  EXPECT_EQ(table->apply({Type::kModified, heartbeat}), false);
  EXPECT_EQ(table->apply({Type::kDeleted, node_item(9, 12)}), false);

  EXPECT_EQ(table->resource_version(), "12");
}

TEST(Informer, TellsWhatBecameOfEachObjectSinceTheLastTime) {
  const auto table = empty_table();
  table->begin_list();
  ASSERT_TRUE(add_page(*table, page({node_item(1), node_item(2)}, "10")));
  EXPECT_EQ(deltas_of(*table), "+n1 +n2");
  json moved = node_item(1, 12);
  moved["status"]["addresses"][0]["address"] = "192.0.2.99";

  ASSERT_TRUE(table->apply({Type::kAdded, node_item(3, 11)}));
  ASSERT_TRUE(table->apply({Type::kModified, moved}));
  ASSERT_TRUE(table->apply({Type::kDeleted, node_item(2, 13)}));
  ASSERT_TRUE(table->apply({Type::kAdded, node_item(4, 14)}));
  ASSERT_TRUE(table->apply({Type::kDeleted, node_item(4, 15)}));

  EXPECT_EQ(deltas_of(*table), "~n1 -n2 +n3");
  EXPECT_EQ(deltas_of(*table), "no news");
}

TEST(Informer, AHeartbeatWakesNobodyAndIsSeen) {
  std::vector<std::string> seen;
  const auto table =
      Nodes::create(kNodes, {.seen = [&](const std::string& key) { seen.push_back(key); }}).value();
  table->begin_list();
  ASSERT_TRUE(add_page(*table, page({node_item(1), node_item(2)}, "10")));
  table->take();
  json heartbeat = node_item(1, 11);
  heartbeat["status"]["conditions"] = {{{"type", "Ready"}}};

  ASSERT_TRUE(table->apply({Type::kModified, heartbeat}));

  EXPECT_FALSE(test::is_readable(table->fd()));
  EXPECT_EQ(deltas_of(*table), "no news");
  EXPECT_EQ(seen, (std::vector<std::string>{"n1", "n2", "n1"}));
}

TEST(Informer, ANewListIsToldAsItsDifferences) {
  const auto table = listed_table();
  table->expire();
  table->begin_list();
  json moved = node_item(2);
  moved["status"]["addresses"][0]["address"] = "192.0.2.99";

  ASSERT_TRUE(add_page(*table, page({moved, node_item(3)}, "20")));

  EXPECT_EQ(deltas_of(*table), "-n1 ~n2 +n3");
  EXPECT_EQ(names(*table), "n2 n3");
}

TEST(Informer, ABookmarkOnlyMovesTheResourceVersion) {
  const auto table = listed_table();

  EXPECT_EQ(table->apply({Type::kBookmark, {{"metadata", {{"resourceVersion", "44"}}}}}), false);

  EXPECT_EQ(table->resource_version(), "44");
  EXPECT_EQ(names(*table), "n1 n2");
}

TEST(Informer, ANodeThatTurnsMalformedMovesToSkippedAndBack) {
  const auto table = listed_table();
  json broken = node_item(1, 11);
  broken["spec"]["podCIDRs"] = {17};

  EXPECT_EQ(table->apply({Type::kModified, broken}), true);
  EXPECT_EQ(names(*table), "n2");
  ASSERT_EQ(snapshot_of(*table).skipped.size(), 1u);
  EXPECT_EQ(snapshot_of(*table).skipped[0].name, "n1");
  EXPECT_EQ(table->apply({Type::kModified, broken}), false);

  EXPECT_EQ(table->apply({Type::kModified, node_item(1, 12)}), true);
  EXPECT_EQ(names(*table), "n1 n2");
  EXPECT_TRUE(snapshot_of(*table).skipped.empty());
}

TEST(Informer, AnExpiredHistoryAsksForAListAndKeepsTheNodes) {
  const auto table = listed_table();

  const auto applied = table->apply({Type::kError, {{"kind", "Status"}, {"code", 410}}});

  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, ESTALE);
  EXPECT_TRUE(table->needs_list());
  EXPECT_EQ(names(*table), "n1 n2");
}

TEST(Informer, AnyOtherErrorEventAsksForAListToo) {
  const auto table = listed_table();

  const auto applied = table->apply({Type::kError, {{"code", 500}, {"message", "etcd is away"}}});

  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, EREMOTEIO);
  EXPECT_EQ(applied.error().what, "the server ended the watch: code 500, \"etcd is away\"");
  EXPECT_TRUE(table->needs_list());
}

}  // namespace
}  // namespace kubecni
