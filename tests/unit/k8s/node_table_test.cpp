#include "k8s/node_table.hpp"

#include <gtest/gtest.h>

namespace kubecni {
namespace {

Node usable(const std::string& name, const char* cidr = "10.1.0.0/24") {
  return {name, {IpAddr::parse("192.0.2.1").value()}, {IpNet::parse(cidr).value()}};
}

NodeEntry skipped(const std::string& name, const std::string& reason = "no PodCIDR") {
  return std::unexpected(SkippedNode{name, reason});
}

TEST(NodeTable, KeepsBothListsSortedByName) {
  NodeTable table;
  for (const char* name : {"n2", "n3", "n1"}) table.set(name, usable(name));
  for (const char* name : {"s2", "s1"}) table.set(name, skipped(name));

  EXPECT_EQ(table.snapshot(), (NodeSnapshot{{usable("n1"), usable("n2"), usable("n3")},
                                            {skipped("s1").error(), skipped("s2").error()}}));
}

TEST(NodeTable, SaysWhatEachCallChanges) {
  NodeTable table;

  EXPECT_EQ(table.set("n1", usable("n1")), Change::kAdded);
  EXPECT_EQ(table.set("n1", usable("n1")), std::nullopt);
  EXPECT_EQ(table.set("n1", usable("n1", "10.2.0.0/24")), Change::kChanged);
  EXPECT_EQ(table.set("n1", skipped("n1")), Change::kChanged);
  EXPECT_EQ(table.set("n1", skipped("n1")), std::nullopt);
  EXPECT_EQ(table.set("n1", usable("n1")), Change::kChanged);
  EXPECT_TRUE(table.erase("n1"));
  EXPECT_FALSE(table.erase("n1"));

  EXPECT_EQ(table.snapshot(), NodeSnapshot());
}

}  // namespace
}  // namespace kubecni
