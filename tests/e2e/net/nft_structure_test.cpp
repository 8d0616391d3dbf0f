#include "net/nft_structure.hpp"

#include "net/link_pair.hpp"

namespace kubecni::test {
namespace {

using testing::ElementsAre;

class NftStructureTest : public LinkPair {
 protected:
  NftStructureTest() {
    nft("add table inet t; add set inet t s { type ipv4_addr; }"
        "; add map inet t m { type ipv4_addr : verdict; }"
        "; add limit inet t l { rate 10/second; }"
        "; add chain inet t c { type filter hook output priority 0; }"
        "; add rule inet t c ip saddr { 192.0.2.1, 192.0.2.2 } counter accept");
  }

  void nft(const std::string& commands) { Node::must_run_in(here, {"nft", commands}); }
  NftStructure read(const std::string& table = "t") {
    NftStructure structure;
    here.enter([&] {
      auto netfilter = must(NetlinkSocket::open(NetlinkPeer::kNetfilter));
      structure = must(read_nft_structure(netfilter, table));
    });
    return structure;
  }
};

TEST_F(NftStructureTest, HasTheTablesPartsAndNobodyElses) {
  nft("add table inet other; add chain inet other x; add table ip t; add chain ip t y");

  EXPECT_THAT(read().objects, ElementsAre("chain c", "limit l", "map m", "set s"));
  EXPECT_TRUE(read().exists());
  EXPECT_FALSE(read("nothing").exists());
  EXPECT_THAT(read("nothing").objects, testing::IsEmpty());
}

TEST_F(NftStructureTest, LeavesOutTheChainOfARule) {
  nft("add rule inet t c tcp dport 80 jump { accept; }");

  EXPECT_THAT(read().objects, ElementsAre("chain c", "limit l", "map m", "set s"));
}

TEST_F(NftStructureTest, StaysWhileElementsAndOtherTablesChange) {
  const auto before = read();

  nft("add element inet t s { 192.0.2.1 }; add element inet t m { 192.0.2.1 : drop }");
  nft("add table inet other; add chain inet other c");
  Node::must_run_in(here, {"bash", "-c", "echo > /dev/udp/192.0.2.2/9"});

  EXPECT_EQ(read(), before);
  EXPECT_THAT(Node::must_run_in(here, {"nft", "list", "chain", "inet", "t", "c"}),
              testing::Not(testing::HasSubstr("packets 0")));
}

TEST_F(NftStructureTest, ChangesWithEachPart) {
  std::set<std::size_t> seen{read().fingerprint};
  for (const char* change :
       {"add rule inet t c drop", "replace rule inet t c handle HANDLE return",
        "add chain inet t d", "add set inet t s2 { type ipv4_addr; }", "delete set inet t s",
        "add limit inet t l2 { rate 10/second; }", "add chain inet t c { policy drop; }",
        "flush chain inet t c", "rename chain inet t d e", "add table inet t { flags dormant; }"}) {
    std::string commands = change;
    if (const auto at = commands.find("HANDLE"); at != std::string::npos) {
      const std::string listed = Node::must_run_in(here, {"nft", "-a", "list", "chain inet t c"});
      const int handle = std::stoi(listed.substr(listed.rfind("handle ") + 7));
      commands.replace(at, 6, std::to_string(handle));
    }
    nft(commands);
    EXPECT_TRUE(seen.insert(read().fingerprint).second) << change;
  }
}

TEST_F(NftStructureTest, DiffersInATableThatWasMadeAnew) {
  const std::string listed = Node::must_run_in(here, {"nft", "list", "table", "inet", "t"});
  const auto before = read();

  nft("delete table inet t");
  Node::must_run_in(here, {"sh", "-c", "echo '" + listed + "' | nft -f -"});

  EXPECT_EQ(read().objects, before.objects);
  EXPECT_NE(read().fingerprint, before.fingerprint);
}

}  // namespace
}  // namespace kubecni::test
