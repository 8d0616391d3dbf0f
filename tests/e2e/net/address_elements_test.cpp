#include "net/address_elements.hpp"

#include "link_pair.hpp"

namespace kubecni::test {
namespace {

class AddressElementsTest : public LinkPair {};

TEST_F(AddressElementsTest, AreFoundByTheirKeys) {
  Node::must_run_in(here, {"nft", R"(table inet mine {
    chain web { }
    set known { type ipv4_addr; elements = { 192.0.2.7, 192.0.2.8 }; }
    set self { type ipv6_addr . ipv6_addr; elements = { 2001:db8::7 . 2001:db8::7 }; }
    map ingress { type ipv4_addr : verdict; elements = { 192.0.2.7 : jump web }; }
  })"});
  const IpAddr seven = addr("192.0.2.7");
  const IpAddr nine = addr("192.0.2.9");
  const IpAddr seven6 = addr("2001:db8::7");
  const AddressElements keys{{"known", {{{seven}}, {{nine}}}},
                             {"self", {{{seven6, seven6}}}},
                             {"ingress", {{{seven}}, {{nine}}}},
                             {"absent", {{{seven}}}}};

  here.enter([&] {
    EXPECT_EQ(must(find_address_elements("mine", keys)),
              (AddressElements{{"known", {{{seven}}}},
                               {"self", {{{seven6, seven6}}}},
                               {"ingress", {{{seven}, "web"}}}}));
    EXPECT_TRUE(must(find_address_elements("absent", keys)).empty());
  });
}

}  // namespace
}  // namespace kubecni::test
