// Bad input gets one clear error and changes nothing.

#include "dataplane/bpf_fs.hpp"
#include "expect.hpp"
#include "support/node_state.hpp"

#include <sys/mount.h>

#include <filesystem>
#include <functional>

namespace kubecni::test {
namespace {

using nlohmann::json;

struct Input {
  const char* name;
  std::function<void(CniCall& call, const Node& node)> change;
  unsigned code;
  std::vector<std::string> phrases;

  friend void PrintTo(const Input& input, std::ostream* out) { *out << input.name; }
};

std::function<void(CniCall&, const Node&)> text(std::string input) {
  return [input](CniCall& call, const Node&) { call.input = input; };
}

std::function<void(CniCall&, const Node&)> conf(json changes) {
  return [changes](CniCall& call, const Node& node) { call.input = node.conf(changes).dump(); };
}

/// Replaces variables; "NAME=" is an empty one.
std::function<void(CniCall&, const Node&)> env(std::vector<std::string> variables) {
  return [variables](CniCall& call, const Node&) {
    for (const auto& variable : variables)
      std::erase_if(call.env, [&](const std::string& old) {
        return old.starts_with(variable.substr(0, variable.find('=') + 1));
      });
    call.env.insert(call.env.end(), variables.begin(), variables.end());
  };
}

class BadInput : public testing::TestWithParam<Input> {};

TEST_P(BadInput, GetsOneErrorAndChangesNothing) {
  const Node node("node", "10.200.0.0/24", "auto");
  const Pod pod("pod");
  CniCall call = node.call_for("ADD", pod);
  GetParam().change(call, node);
  const auto before = state_of(node, {&pod});

  const auto answer = node.call(call);

  for (const auto& phrase : GetParam().phrases)
    EXPECT_TRUE(failed(answer, GetParam().code, phrase));
  EXPECT_EQ(state_of(node, {&pod}), before);
}

INSTANTIATE_TEST_SUITE_P(
    Each, BadInput,
    testing::Values(
        Input{"Empty", text(""), 6, {"empty"}}, Input{"White", text(" \n"), 6, {"empty"}},
        Input{"Garbage", text("hello"), 6, {"is not a JSON object", "hello"}},
        Input{"Binary", text(std::string("\xff\xfe\x00\x01", 4)), 6, {"is not a JSON object"}},
        Input{
            "Truncated", text(R"({"cniVersion":"1.1.0","name":"po)"), 6, {"is not a JSON object"}},
        Input{"Array", text("[]"), 6, {"is not a JSON object"}},
        Input{"VersionUnknown",
              conf({{"cniVersion", "9.9.9"}}),
              1,
              {"9.9.9", "0.1.0, 0.2.0, 0.3.0, 0.3.1"}},
        Input{"VersionIsNumber", conf({{"cniVersion", 1}}), 1, {"cniVersion"}},
        Input{"NameMissing", conf({{"name", nullptr}}), 7, {"name"}},
        Input{"NameIsPath", conf({{"name", "../etc"}}), 7, {"../etc"}},
        Input{"SubnetIsNoCidr", conf({{"subnet", "10.200.0.0"}}), 7, {"subnet", "10.200.0.0"}},
        Input{"SubnetIsNumber", conf({{"subnet", 10}}), 7, {"subnet"}},
        Input{"SubnetHasHostBits",
              conf({{"subnet", "10.200.0.5/24"}}),
              7,
              {"subnet", "did you mean \\\"10.200.0.0/24\\\""}},
        Input{"SubnetIsIpv6",
              conf({{"subnet", "2001:db8::/64"}}),
              7,
              {"2001:db8::/64 is outside", "10.200.0.0/16"}},
        Input{"SubnetTooSmall", conf({{"subnet", "10.200.0.0/31"}}), 7, {"10.200.0.0/31", "/30"}},
        Input{"SubnetOutsideNetwork",
              conf({{"subnet", "10.201.0.0/24"}}),
              7,
              {"10.201.0.0/24", "10.200.0.0/16"}},
        Input{"DataplaneUnknown", conf({{"dataplane", "fast"}}), 7, {"fast", "auto"}},
        Input{"MtuTooSmall", conf({{"mtu", 10}}), 7, {"mtu", "576"}},
        Input{"MtuIsText", conf({{"mtu", "1500"}}), 7, {"mtu"}},
        Input{"StateDirRelative", conf({{"stateDir", "state"}}), 7, {"stateDir", "absolute"}},
        Input{"LogLevelUnknown", conf({{"logLevel", "loud"}}), 7, {"logLevel"}},
        Input{
            "IpamPluginIsAPath", conf({{"ipam", {{"type", "../sh"}}}}), 7, {"ipam.type", "../sh"}},
        Input{"IpamPluginThatIsNotThere",
              conf({{"ipam", {{"type", "no-such-plugin"}}}}),
              7,
              {"no-such-plugin", "CNI_PATH /opt/cni/bin"}},
        Input{"IpamRangeOutside",
              conf({{"subnet", nullptr},
                    {"ipam", {{"subnet", "10.200.0.0/24"}, {"rangeStart", "10.9.0.1"}}}}),
              7,
              {"rangeStart 10.9.0.1", "10.200.0.0/24"}},
        Input{"IpamAndSubnet", conf({{"ipam", {{"subnet", "10.200.0.0/24"}}}}), 7, {"both"}},
        Input{"BridgeNameTooLong", conf({{"bridge", "a-name-over-15-chars"}}), 7, {"bridge"}},
        Input{"AllVariablesMissing",
              env({"CNI_CONTAINERID=", "CNI_NETNS=", "CNI_IFNAME="}),
              4,
              {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"}},
        Input{"CommandUnknown", env({"CNI_COMMAND=FIX"}), 4, {"FIX"}},
        Input{"CommandEmpty", env({"CNI_COMMAND="}), 4, {"CNI_COMMAND"}},
        Input{"ContainerIdIsPath", env({"CNI_CONTAINERID=../../etc"}), 4, {"CNI_CONTAINERID"}},
        Input{"IfnameTooLong", env({"CNI_IFNAME=a-name-over-15-chars"}), 4, {"CNI_IFNAME"}},
        Input{"NetnsMissing", env({"CNI_NETNS=/run/netns/none"}), 4, {"/run/netns/none"}},
        Input{"NetnsIsAFile", env({"CNI_NETNS=/etc/passwd"}), 4, {"not a network namespace"}},
        Input{"NetnsIsAFolder", env({"CNI_NETNS=/run"}), 4, {"not a network namespace"}},
        Input{"NetnsIsAnotherKind",
              env({"CNI_NETNS=/proc/self/ns/mnt"}),
              4,
              {"not a network namespace"}},
        Input{"NetnsIsTheNode", env({"CNI_NETNS=/proc/self/ns/net"}), 8, {"the node itself"}}),
    [](const auto& tested) { return tested.param.name; });

TEST(BadInputToEveryVerb, GarbageIsRefusedByAllThatReadIt) {
  const Node node("node", "10.200.0.0/24", "auto");
  const Pod pod("pod");
  for (const char* verb : {"ADD", "DEL", "CHECK", "STATUS"}) {
    CniCall call = node.call_for(verb, pod);
    call.input = "{";

    EXPECT_TRUE(failed(node.call(call), 6, "not a JSON object")) << verb;
  }
}

TEST(BadInputToAdd, InvalidUtf8GetsAnAnswer) {
  const Node node("node", "10.200.0.0/24", "auto");
  const Pod pod("pod");
  CniCall call = node.call_for("ADD", pod);
  env({"CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAME=\xff\xfe"})(call, node);

  EXPECT_EQ(node.call(call).status, 0);
  EXPECT_EQ(node.cni("DEL", pod).status, 0);

  env({"CNI_NETNS=/run/netns/\xff"})(call, node);
  EXPECT_TRUE(failed(node.call(call), 4, "/run/netns/"));
}

class NoPermission : public testing::TestWithParam<std::string> {};

TEST_P(NoPermission, SaysWhatIsNeededAndChangesNothing) {
  const Node node("node", "10.200.0.0/24", GetParam());
  const Pod pod("pod");
  CniCall call = node.call_for("ADD", pod);
  call.wrapper = {"setpriv", "--bounding-set", "-all", "--inh-caps", "-all"};
  const auto before = state_of(node, {&pod}, false);

  EXPECT_TRUE(failed(node.call(call), 101, "CAP_NET_ADMIN"));

  EXPECT_EQ(state_of(node, {&pod}, false), before);
}

INSTANTIATE_TEST_SUITE_P(Path, NoPermission, testing::Values("auto", "ebpf", "bridge"),
                         [](const auto& tested) { return tested.param; });

class Bpffs : public testing::Test {
 protected:
  // The sandbox has a bpf file system; a machine may have another one underneath.
  Bpffs() {
    while (is_on_bpffs("/sys/fs/bpf") && ::umount2("/sys/fs/bpf", MNT_DETACH) == 0) continue;
  }

  [[nodiscard]] CniAnswer add(std::vector<std::string> wrapper = {}) const {
    CniCall call = node.call_for("ADD", pod);
    call.wrapper = std::move(wrapper);
    return node.call(call);
  }

  Node node{"node", "10.200.0.0/24", "ebpf"};
  Pod pod{"pod"};
};

TEST_F(Bpffs, MissingOneIsMounted) {
  EXPECT_TRUE(ok(add()));

  EXPECT_TRUE(is_on_bpffs("/sys/fs/bpf"));
  EXPECT_TRUE(node.attachment(pod).ebpf);
}

// Like a container or a service of systemd: it may not see the namespaces of process 1, which has
// more rights.
class FewerRights : public Bpffs {
 protected:
  static std::vector<std::string> run(const std::vector<std::string>& program) {
    std::vector<std::string> argv{"setpriv", "--bounding-set=-sys_ptrace",
                                  "--inh-caps=-sys_ptrace"};
    argv.insert(argv.end(), program.begin(), program.end());
    return argv;
  }

  void SetUp() override {
    ASSERT_NE(Process({.argv = run({"stat", "--dereference", "/proc/1/ns/mnt"})}).wait().status, 0);
  }
};

TEST_F(FewerRights, AreEnoughToMountWhereTheHostSeesIt) {
  EXPECT_TRUE(ok(add(run({}))));

  EXPECT_TRUE(is_on_bpffs("/sys/fs/bpf"));
}

TEST_F(FewerRights, AreEnoughToTellThatTheHostWouldNotSeeIt) {
  const CniAnswer answer = add(run({"unshare", "--mount"}));

  EXPECT_TRUE(failed(answer, 101, "mount -t bpf bpf /sys/fs/bpf on the host"));
}

TEST_F(Bpffs, IsNotMountedWhereTheHostWouldNotSeeIt) {
  const CniAnswer answer = add({"unshare", "--mount"});

  EXPECT_TRUE(failed(answer, 101, "mount -t bpf bpf /sys/fs/bpf on the host"));
  EXPECT_FALSE(is_on_bpffs("/sys/fs/bpf"));
}

}  // namespace
}  // namespace kubecni::test
