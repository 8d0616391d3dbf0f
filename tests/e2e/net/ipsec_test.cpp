#include "net/ipsec.hpp"

#include "link_pair.hpp"

namespace kubecni::test {
namespace {

constexpr const char* kPolicy =
    "xfrm policy add src 203.0.113.77/32 dst 203.0.113.78/32 dir out tmpl mode tunnel proto esp"
    " src 203.0.113.77 dst 203.0.113.78";

class Ipsec : public LinkPair {};

TEST_F(Ipsec, PoliciesOfTheNamespaceAreCountedAndReported) {
  here.enter([&] {
    auto monitor = must(IpsecMonitor::open());
    EXPECT_FALSE(must(has_ipsec_policies()));
    EXPECT_FALSE(monitor.take_changes());

    ip(kPolicy);
    EXPECT_TRUE(must(has_ipsec_policies()));
    EXPECT_TRUE(monitor.take_changes());

    ip("xfrm policy flush");
    EXPECT_FALSE(must(has_ipsec_policies()));
    EXPECT_TRUE(monitor.take_changes());
    EXPECT_FALSE(monitor.take_changes());
  });
}

}  // namespace
}  // namespace kubecni::test
