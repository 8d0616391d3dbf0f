// kube-cnictl doctor: finds what a machine lacks, and leaves nothing.

#include "base/file.hpp"
#include "dataplane/bpf_fs.hpp"
#include "expect.hpp"
#include "support/program.hpp"

#include <sys/mount.h>

namespace kubecni::test {
namespace {

using nlohmann::json;

class Doctor : public testing::Test {
 protected:
  struct Answer {
    int status;
    json findings;
  };

  [[nodiscard]] Answer examine(std::vector<std::string> wrapper = {}) const {
    wrapper.insert(wrapper.end(), {program("kube-cnictl"), "doctor", "-o", "json", "--bpffs",
                                   "/sys/fs/bpf/kube-cni-test"});
    const Outcome outcome = Process({.argv = wrapper, .netns_fd = node.fd()}).wait();
    return {outcome.status, json::parse(outcome.out)};
  }

  /// "ok: works", of the first finding about it.
  static std::string about(const Answer& answer, const std::string& subject) {
    for (const json& finding : answer.findings) {
      if (finding["subject"] == subject)
        return finding["verdict"].get<std::string>() + ": " + finding["found"].get<std::string>();
    }
    return "nothing is said of " + subject;
  }

  NetNs node{"node"};
};

TEST_F(Doctor, FindsNothingMissingWhereEverythingWorks) {
  const Answer answer = examine();

  EXPECT_EQ(answer.status, 0) << answer.findings.dump(2);
  for (const char* subject : {"kernel", "rights", "bpffs", "programs", "bridge", "veth", "vxlan",
                              "masquerade", "firewall"})
    EXPECT_THAT(about(answer, subject), testing::StartsWith("ok: "));
}

TEST_F(Doctor, NamesAChainThatDropsForwardedPackets) {
  Node::must_run_in(node, {"iptables", "-P", "FORWARD", "DROP"});

  EXPECT_EQ(about(examine(), "firewall"),
            "limited: drops forwarded packets that no rule accepts: FORWARD of table ip filter");
}

TEST_F(Doctor, NamesTheRightsThatItLacks) {
  const Answer answer = examine({"setpriv", "--bounding-set=-all", "--inh-caps=-all"});

  EXPECT_EQ(answer.status, 1);
  EXPECT_THAT(about(answer, "rights"), testing::HasSubstr("CAP_NET_ADMIN"));
  EXPECT_THAT(about(answer, "programs"), testing::StartsWith("missing: "));
}

TEST_F(Doctor, SaysThatNoBpfFileSystemIsMountedAndMountsNone) {
  while (is_on_bpffs("/sys/fs/bpf") && ::umount2("/sys/fs/bpf", MNT_DETACH) == 0) continue;

  EXPECT_THAT(about(examine(), "bpffs"), testing::StartsWith("limited: none is mounted"));
  EXPECT_FALSE(is_on_bpffs("/sys/fs/bpf"));
}

TEST_F(Doctor, LeavesNothing) {
  const std::string before = Node::must_run_in(node, {"ip", "link"}) +
                             Node::must_run_in(node, {"nft", "list", "ruleset"}) +
                             Node::must_run_in(node, {"find", "/sys/fs/bpf"});

  EXPECT_EQ(examine().status, 0);

  EXPECT_EQ(Node::must_run_in(node, {"ip", "link"}) +
                Node::must_run_in(node, {"nft", "list", "ruleset"}) +
                Node::must_run_in(node, {"find", "/sys/fs/bpf"}),
            before);
}

class DoctorOfADaemon : public testing::TestWithParam<const char*> {};

TEST_P(DoctorOfADaemon, IsAskedWhenThereIsNoEbpf) {
  const Node node("node", "10.200.0.0/24", GetParam());
  const auto nodes = node.folder() / "nodes.json";
  must(write_file_atomically(
      nodes,
      R"({"kind": "List", "apiVersion": "v1", "items": [{"kind": "Node", "metadata": {"name": "node"}, "spec": {"podCIDR": "10.200.0.0/24"}, "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]}}]})"));
  std::vector<std::string> argv{"setpriv", "--bounding-set=-sys_admin,-bpf",
                                "--inh-caps=-sys_admin,-bpf", program("kube-cnid")};
  argv.insert(argv.end(), {"--node-name", "node", "--node-source", "file:" + nodes.string(),
                           "--state-dir", node.state_dir(), "--run-dir", node.run_dir(), "--bpffs",
                           node.bpffs(), "--dataplane", GetParam()});

  Process daemon({.argv = argv, .netns_fd = node.netns.fd()});

  EXPECT_TRUE(eventually([&] {
    return daemon.err().find("msg=diagnosis subject=rights verdict=missing") != std::string::npos;
  })) << daemon.err();
}

INSTANTIATE_TEST_SUITE_P(That, DoctorOfADaemon, testing::Values("ebpf", "auto"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
}  // namespace kubecni::test
