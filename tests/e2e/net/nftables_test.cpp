// nftables through its library: transactions, what a table looks like, and errors.

#include "net/nftables.hpp"

#include "link_pair.hpp"

#include <cerrno>
#include <optional>
#include <set>

namespace kubecni::test {
namespace {

class NftablesTest : public LinkPair {
 protected:
  NftablesTest() {
    here.enter([&] { nftables.emplace(must(Nftables::open())); });
  }

  Result<> run(const std::string& commands) {
    Result<> done;
    here.enter([&] { done = nftables->run(commands); });
    return done;
  }
  std::string list_table(const std::string& name) {
    std::string text;
    here.enter([&] { text = must(nftables->list_table("inet " + name)); });
    return text;
  }
  std::string ruleset() { return Node::must_run_in(here, {"nft", "list", "ruleset"}); }

  std::optional<Nftables> nftables;
};

TEST_F(NftablesTest, WorksInTheNamespaceOfItsCaller) {
  ASSERT_TRUE(ok(run("add table inet mine")));

  EXPECT_EQ(ruleset(), "table inet mine {\n}\n");
}

TEST_F(NftablesTest, DoesAllOrNothing) {
  const auto done = run("add table inet mine; add set inet other s { type ipv4_addr; }");

  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ENOENT) << done.error().what;
  EXPECT_EQ(ruleset(), "");
  EXPECT_TRUE(ok(run("add table inet mine"))) << "the next one is not concerned";
}

TEST_F(NftablesTest, ListsATableTheSameWayUntilSomebodyChangesIt) {
  ASSERT_TRUE(
      ok(run("table inet mine { set s { type ipv4_addr; flags interval;"
             " elements = { 10.2.0.0/16, 10.1.0.0/16 }; };"
             " chain c { ip saddr @s counter accept; }; }")));
  const auto first = list_table("mine");
  Node::must_run_in(here, {"nft", "add table ip foreign"});

  EXPECT_THAT(first, testing::HasSubstr("elements = { 10.1.0.0/16, 10.2.0.0/16 }"));
  EXPECT_EQ(list_table("mine"), first);
  Node::must_run_in(here, {"nft", "add element inet mine s { 10.3.0.0/16 }"});
  const auto second = list_table("mine");
  EXPECT_NE(second, first);
  Node::must_run_in(here, {"nft", "flush chain inet mine c"});
  EXPECT_NE(list_table("mine"), second);
  Node::must_run_in(here, {"nft", "delete element inet mine s { 10.3.0.0/16 }"});
  Node::must_run_in(here, {"nft", "add rule inet mine c ip saddr @s counter accept"});
  EXPECT_EQ(list_table("mine"), first);
}

TEST_F(NftablesTest, LeavesCountersOutOfAList) {
  ASSERT_TRUE(
      ok(run("table inet mine { chain c { type filter hook output priority 0;"
             " counter comment \"all\"; }; }")));
  const auto before = list_table("mine");

  ASSERT_TRUE(ok(ping(here, addr("192.0.2.2"))));

  ASSERT_THAT(ruleset(), testing::Not(testing::HasSubstr("packets 0")));
  EXPECT_EQ(list_table("mine"), before);
}

TEST_F(NftablesTest, ListsWhatATableConsistsOf) {
  ASSERT_TRUE(
      ok(run("table inet mine { set s { type ipv4_addr; elements = { 192.0.2.1 }; };"
             " chain c { ip saddr @s accept; }; }; table inet other { chain d { }; }")));

  std::set<std::string> objects;
  here.enter([&] { objects = must(nftables->list_objects("inet mine")); });
  EXPECT_EQ(objects, (std::set<std::string>{"chain c", "set s"}));
  here.enter([&] { objects = must(nftables->list_objects("inet nobody")); });
  EXPECT_TRUE(objects.empty());
}

TEST_F(NftablesTest, ListsChainsWithHookAndPolicyAsJson) {
  ASSERT_TRUE(ok(
      run("table inet mine { chain c { type filter hook forward priority 0; policy drop; }; }")));

  std::string chains;
  here.enter([&] { chains = must(nftables->list_chains()); });

  EXPECT_THAT(chains, testing::HasSubstr(R"("hook": "forward")"));
  EXPECT_THAT(chains, testing::HasSubstr(R"("policy": "drop")"));
}

TEST_F(NftablesTest, ListsATableThatIsNotThereAsNothing) { EXPECT_EQ(list_table("mine"), ""); }

TEST_F(NftablesTest, CountsEveryChangeByAnybodyAsAGeneration) {
  const auto first = must(nftables->generation());
  EXPECT_EQ(must(nftables->generation()), first);

  Node::must_run_in(here, {"nft", "add table ip foreign"});

  EXPECT_NE(must(nftables->generation()), first);
  EXPECT_NE(first, 0u);
}

TEST_F(NftablesTest, ExplainsAnErrorInOneLine) {
  const auto missing = run("delete table inet mine");
  const auto nonsense = run("make it so");
  ASSERT_TRUE(ok(run("add table inet mine")));
  const auto twice = run("create table inet mine");

  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
  EXPECT_THAT(missing.error().what, testing::HasSubstr("No such file or directory"));
  ASSERT_FALSE(nonsense);
  EXPECT_EQ(nonsense.error().code, EINVAL);
  EXPECT_THAT(nonsense.error().what, testing::StartsWith("nftables: syntax error"));
  EXPECT_THAT(nonsense.error().what, testing::Not(testing::HasSubstr("\n")));
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, EEXIST);
}

TEST_F(NftablesTest, KnowsWhatIsMissingAlsoWhenTheLibraryGuessesWhatWasMeant) {
  Node::must_run_in(here, {"nft", "table inet kube-cni { chain postrouting { }; chain x { }; }"});

  const auto missing = run("add rule inet nope x accept");

  ASSERT_FALSE(missing);
  ASSERT_THAT(missing.error().what, testing::HasSubstr("did you mean"));
  EXPECT_EQ(missing.error().code, ENOENT);
}

}  // namespace
}  // namespace kubecni::test
