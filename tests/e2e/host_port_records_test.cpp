// What is recorded of host ports and what is in the table: two pods that want the same, UDP flows
// from before, many ADDs at once, and that nothing of them stays.

#include "base/file.hpp"
#include "host_ports_node.hpp"
#include "support/node_state.hpp"
#include "support/udp.hpp"

#include <sys/socket.h>

#include <filesystem>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class HostPortRecords : public testing::Test, protected HostPortsOn {
 protected:
  HostPortRecords() : HostPortsOn("ebpf") {}

  [[nodiscard]] CniAnswer check(const Pod& pod, const CniAnswer& added, json conf) const {
    conf["prevResult"] = added.json;
    return node.cni("CHECK", pod, conf);
  }
};

TEST_F(HostPortRecords, AreElementsOfMapsWhateverTheirNumber) {
  const Pod pod = node.add_pod(
      "pod", asking_for({mapping("tcp"), mapping("SCTP", "", 9, 10), mapping("udp", kNode4)}));
  const std::string p4 = pod.address_of(AF_INET).str(), p6 = pod.address_of(AF_INET6).str();

  const std::string listed = table();

  EXPECT_THAT(listed, HasSubstr("sctp . 9 : " + p4 + " . 10"));
  EXPECT_THAT(listed, HasSubstr("sctp . 9 : " + p6 + " . 10"));
  EXPECT_THAT(listed, HasSubstr(kNode4 + " . udp . 18080 : " + p4 + " . 8080"));
  const auto count = [&](const std::string& word) {
    unsigned found = 0;
    for (auto at = listed.find(word); at != listed.npos; at = listed.find(word, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("dnat ip"), 4u) << listed;
  EXPECT_EQ(count("masquerade"), 3u) << listed;
}

TEST_F(HostPortRecords, TableIsWhatNftItselfWouldMake) {
  (void)node.add_pod("pod", asking_for({mapping("tcp")}));
  const std::string listed = table();
  must(write_file_atomically(node.folder() / "table.nft", listed));

  node.must_run({"nft", "delete", "table", "inet", "kube-cni-hostports"});
  node.must_run({"nft", "-f", node.folder() / "table.nft"});

  EXPECT_EQ(table(), listed);
}

TEST_F(HostPortRecords, OfTwoPodsAreRefusedByName) {
  const json wanted = asking_for({mapping("tcp")});
  const Pod first("first"), second("second");
  CniCall call = node.call_for("ADD", first, wanted);
  std::erase_if(call.env, [](const auto& entry) { return entry.starts_with("CNI_ARGS="); });
  call.env.emplace_back("CNI_ARGS=K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web");
  ASSERT_TRUE(ok(node.call(call)));
  const std::string before = state_of(node, {&second}, false), rules = table();

  EXPECT_TRUE(failed(node.cni("ADD", second, wanted), 11,
                     "the host's tcp port 18080 leads to pod shop/web"));

  EXPECT_EQ(state_of(node, {&second}, false), before);
  EXPECT_EQ(table(), rules);
  EXPECT_TRUE(ok(node.cni("ADD", second, asking_for({mapping("udp"), mapping("tcp", kNode4)}))));
}

TEST_F(HostPortRecords, OfAPodThatEndedWithoutDelAreFreeAgain) {
  const json wanted = asking_for({mapping("tcp")});
  Pod gone = node.add_pod("gone", wanted);
  gone.netns.remove();
  Node::must_run_in(node.netns, {"sh", "-c",
                                 "ip link del " + node.attachment(gone).port.host_ifname +
                                     " 2>/dev/null || true"});

  const Pod next = node.add_pod("next", wanted);

  EXPECT_TRUE(ok(call(outside, next.netns, kNode4)));
}

TEST_F(HostPortRecords, ThatAreMalformedChangeNothing) {
  const Pod pod("pod");
  const std::string before = state_of(node, {&pod}, false);

  EXPECT_TRUE(failed(node.cni("ADD", pod, asking_for({mapping("icmp")})), 7, "tcp, udp or sctp"));
  EXPECT_TRUE(failed(node.cni("ADD", pod, asking_for({mapping("tcp", "node")})), 7, "hostIP"));

  EXPECT_EQ(state_of(node, {&pod}, false), before);
  EXPECT_THAT(table(), HasSubstr("No such file"));
}

TEST_F(HostPortRecords, AreRemovedByGc) {
  const Pod pod = node.add_pod("pod", asking_for({mapping("tcp")}));

  ASSERT_TRUE(ok(node.cni("GC", pod, {{"cni.dev/valid-attachments", json::array()}})));

  EXPECT_THAT(table(), Not(HasSubstr("elements")));
}

TEST_F(HostPortRecords, AreRemovedThoughTheRecordIsLost) {
  const Pod pod = node.add_pod("pod", asking_for({mapping("tcp")}));
  const Pod other = node.add_pod("other", asking_for({mapping("udp")}));
  std::filesystem::remove(node.state_dir() / "attachments" / "pods" / (pod.container_id + ":eth0"));

  ASSERT_TRUE(ok(node.cni("DEL", pod)));

  EXPECT_THAT(table(), Not(HasSubstr("tcp . 18080")));
  EXPECT_THAT(table(), HasSubstr("udp . 18080"));
}

TEST_F(HostPortRecords, ThatAreMissingAreFoundByCheck) {
  const json wanted = asking_for({mapping("tcp")});
  const Pod pod("pod");
  const CniAnswer added = node.cni("ADD", pod, wanted);
  ASSERT_TRUE(ok(added));
  EXPECT_TRUE(ok(check(pod, added, wanted)));

  node.must_run({"nft", "flush", "map", "inet", "kube-cni-hostports", "ports4"});
  EXPECT_TRUE(failed(check(pod, added, wanted), 100, "the host's tcp port 18080 does not lead to"));

  // That is the node's loss.
  node.must_run({"nft", "delete", "table", "inet", "kube-cni-hostports"});
  const CniAnswer answer = check(pod, added, wanted);
  EXPECT_TRUE(ok(answer));
  EXPECT_THAT(answer.err, HasSubstr("nftables table inet kube-cni-hostports is missing"));
}

TEST_F(HostPortRecords, OfManyPodsAtOnceAreAllMade) {
  constexpr unsigned kPods = 24;
  std::vector<Pod> pods;
  std::vector<Process> calls;
  for (unsigned i = 0; i < kPods; ++i) pods.emplace_back("pod" + std::to_string(i));
  const auto wanted = [](unsigned i) { return asking_for({mapping("tcp", "", 20000 + i)}); };

  for (unsigned i = 0; i < kPods; ++i)
    calls.push_back(node.start(node.call_for("ADD", pods[i], wanted(i))));
  for (Process& call : calls) EXPECT_EQ(call.wait().status, 0);
  const std::string listed = table();
  for (unsigned i = 0; i < kPods; ++i)
    EXPECT_THAT(listed, HasSubstr("tcp . " + std::to_string(20000 + i) + " : 10.200.0."));

  calls.clear();
  for (unsigned i = 0; i < kPods; ++i)
    calls.push_back(node.start(node.call_for("DEL", pods[i], wanted(i))));
  for (Process& call : calls) EXPECT_EQ(call.wait().status, 0);
  EXPECT_THAT(table(), Not(HasSubstr("elements")));
}

TEST_F(HostPortRecords, TakeOverUdpFlowsThatWentElsewhere) {
  const UdpSocket client(outside, AF_INET, 40000);
  const UdpSocket of_node(node.netns, AF_INET, kHostPort);
  // Nobody answers, and the client goes on from the same port.
  ASSERT_TRUE(client.send(addr(kNode4), kHostPort, "hello"));
  ASSERT_TRUE(of_node.receive());

  const Pod pod = node.add_pod("pod", asking_for({mapping("udp")}));

  const UdpSocket server(pod.netns, AF_INET, kPodPort);
  const auto answered = ask(client, server, addr(kNode4), kHostPort, "hello");
  EXPECT_TRUE(answered) << answered.error().what;
}

TEST_F(HostPortRecords, GoOnWithTheNextPodForAClientThatKeepsItsPort) {
  const json wanted = asking_for({mapping("udp")});
  const UdpSocket client4(outside, AF_INET, 40000), client6(outside, AF_INET6, 40001);
  const auto expect_answer = [&](const UdpSocket& client, const Pod& pod, int family) {
    const UdpSocket server(pod.netns, family, kPodPort);
    const IpAddr to = addr(family == AF_INET ? kNode4 : kNode6);
    const auto answered = ask(client, server, to, kHostPort, "hello");
    EXPECT_TRUE(answered) << answered.error().what;
  };
  const Pod first = node.add_pod("first", wanted);
  expect_answer(client4, first, AF_INET);
  expect_answer(client6, first, AF_INET6);

  ASSERT_TRUE(ok(node.cni("DEL", first, wanted)));
  ASSERT_TRUE(client4.send(addr(kNode4), kHostPort, "nobody"));
  const Pod second = node.add_pod("second", wanted);

  EXPECT_NE(second.address, first.address);
  expect_answer(client4, second, AF_INET);
  expect_answer(client6, second, AF_INET6);
}

TEST_F(HostPortRecords, LeaveUdpFlowsThroughTheNodeAlone) {
  // Its table makes the kernel track flows.
  const Pod client_pod = node.add_pod("client", asking_for({mapping("tcp")}));
  Node::must_run_in(outside, {"ip", "route", "add", "10.200.0.0/24", "via", kNode4});
  const UdpSocket client(client_pod.netns, AF_INET, 40000);
  const UdpSocket server(outside, AF_INET, kHostPort);
  ASSERT_TRUE(ask(client, server, addr("192.0.2.9"), kHostPort, "hello"));
  const auto flows = [&] {
    return node.must_run({"sh", "-c", "conntrack -L -p udp -o id 2>/dev/null | grep -o 'id=.*'"});
  };
  const std::string before = flows();

  (void)node.add_pod("pod", asking_for({mapping("udp")}));

  EXPECT_EQ(flows(), before);
}

}  // namespace
}  // namespace kubecni::test
