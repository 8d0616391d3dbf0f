// How a pod's programs are attached: by filters, which is faster, if no plugin of the list needs
// their place, else by tcx links.

#include "base/file.hpp"
#include "expect.hpp"
#include "support/cni_list.hpp"
#include "support/node_state.hpp"
#include "support/traffic.hpp"

namespace kubecni::test {
namespace {

using nlohmann::json;

class PodHooks : public testing::Test {
 protected:
  PodHooks() { must(ensure_directory(conf_dir())); }

  [[nodiscard]] std::filesystem::path conf_dir() const { return node.folder() / "net.d"; }
  void write_list(const std::string& name, const json& plugins) const {
    must(write_file_atomically(conf_dir() / name,
                               json{{"name", "pods"}, {"plugins", plugins}}.dump()));
  }
  [[nodiscard]] json conf() const { return {{"confDir", conf_dir()}}; }
  [[nodiscard]] bool on_filters(const Pod& pod) const {
    return node.attachment(pod).hooks == AttachKind::kClsact;
  }
  [[nodiscard]] std::string filters(const Pod& pod) const {
    return node.must_run(
        {"tc", "filter", "show", "dev", node.attachment(pod).port.host_ifname, "ingress"});
  }

  Node node{"node", "10.200.0.0/24", "ebpf"};
};

TEST_F(PodHooks, AreFiltersWhereTheListHasNoneThatNeedsTheirPlace) {
  write_list("10-pods.conflist", {{{"type", "kube-cni"}}, {{"type", "portmap"}}});
  const Pod one = node.add_pod("one", conf());
  const Pod other = node.add_pod("other", conf());
  const auto before = node.counters();

  EXPECT_TRUE(ok(tcp_transfer(one.netns, other.netns, other.address)));

  EXPECT_TRUE(on_filters(one));
  EXPECT_THAT(filters(one), testing::HasSubstr("from_pod"));
  EXPECT_GT(grown(before, node.counters(), KUBECNI_FAST_TO_LOCAL_POD), 10u);
}

TEST_F(PodHooks, AreLinksWhereTheListHasTheBandwidthPlugin) {
  write_list("10-pods.conflist", {{{"type", "kube-cni"}}, {{"type", "bandwidth"}}});

  EXPECT_FALSE(on_filters(node.add_pod("pod", conf())));
}

TEST_F(PodHooks, ALimitInTheListIsHeededWithoutADaemon) {
  write_list("10-pods.conflist",
             {{{"type", "kube-cni"}}, {{"type", "bandwidth"}, {"ingressRate", 8'000'000}}});

  const Pod pod = node.add_pod("pod", conf());

  const auto endpoint =
      must(node.dataplane().pods.endpoints.endpoints().find(node.endpoint_key(pod)));
  EXPECT_EQ(endpoint.value().flags, KUBECNI_ENDPOINT_READY | KUBECNI_ENDPOINT_SHAPED);
}

TEST_F(PodHooks, AreLinksWhereTheListIsNotKnown) {
  EXPECT_FALSE(on_filters(node.add_pod("no-file", conf())));
  write_list("10-pods.conflist", {{{"type", "kube-cni"}}});
  must(write_file_atomically(conf_dir() / "20-broken.conflist", "{"));
  EXPECT_FALSE(on_filters(node.add_pod("broken-file", conf())));
}

TEST_F(PodHooks, AreAsTheConfigurationSays) {
  for (const bool filters : {true, false}) {
    const std::string kind = filters ? "clsact" : "tcx";

    EXPECT_EQ(on_filters(node.add_pod(kind, {{"podHooks", kind}})), filters);
  }
}

TEST_F(PodHooks, FiltersAreCheckedAndGoWithThePod) {
  const json on_filters{{"podHooks", "clsact"}};
  const Pod pod("pod");
  const Pod other = node.add_pod("other", on_filters);
  const auto before = state_of(node, {&pod}, false);
  json with_result = on_filters;
  with_result["prevResult"] = node.cni("ADD", pod, on_filters).json;
  EXPECT_TRUE(ok(node.cni("CHECK", pod, with_result)));

  node.must_run({"tc", "filter", "del", "dev", node.attachment(pod).port.host_ifname, "ingress"});

  EXPECT_TRUE(failed(node.cni("CHECK", pod, with_result), 100, "from_pod is not attached"));
  EXPECT_TRUE(ok(node.cni("DEL", pod, on_filters)));
  EXPECT_EQ(state_of(node, {&pod}, false), before);
}

TEST_F(PodHooks, AreLinksWhereTheBandwidthPluginWillLimitThePodWhateverIsSaid) {
  const json capabilities{{"bandwidth", true}};
  json kube_cni = conf();
  kube_cni.update({{"type", "kube-cni"}, {"podHooks", "clsact"}, {"capabilities", capabilities}});
  const std::vector<json> plugins{kube_cni,
                                  {{"type", "bandwidth"}, {"capabilities", capabilities}}};
  write_list("10-pods.conflist", plugins);
  CniList list(node, plugins);
  Pod pod("pod");

  EXPECT_TRUE(
      ok(list.add(pod, {{"bandwidth", {{"egressRate", 8'000'000}, {"egressBurst", 8'000'000}}}})));

  EXPECT_FALSE(on_filters(pod));
  EXPECT_TRUE(ok(list.del(pod)));
}

}  // namespace
}  // namespace kubecni::test
