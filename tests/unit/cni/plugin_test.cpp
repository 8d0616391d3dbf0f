// The parts of the verbs that need no rights: answers to bad input, VERSION, STATUS.

#include "plugin.hpp"

#include "base/file.hpp"
#include "ipam/lease_store.hpp"
#include "net/netns.hpp"
#include "pods/liveness.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <map>
#include <string>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

PluginAnswer call(const std::string& command, const std::string& input) {
  const std::map<std::string, std::string> variables{{"CNI_COMMAND", command},
                                                     {"CNI_CONTAINERID", "abc"},
                                                     {"CNI_NETNS", "/run/netns/absent"},
                                                     {"CNI_IFNAME", "eth0"}};
  return run_plugin(
      [&](const char* name) {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : found->second.c_str();
      },
      input);
}

/// Checks that the answer is an error as the specification requires.
void expect_error(const PluginAnswer& answer, unsigned code, const std::string& version,
                  const std::string& phrase) {
  const json error = json::parse(answer.output, nullptr, false);

  EXPECT_EQ(answer.exit_status, 1);
  ASSERT_TRUE(error.is_object()) << answer.output;
  EXPECT_EQ(error.value("code", 0u), code);
  EXPECT_EQ(error.value("cniVersion", ""), version);
  EXPECT_THAT(error.value("msg", ""), HasSubstr(phrase));
}

struct BadCall {
  const char* name;
  const char* command;
  std::string input;
  unsigned code;
  const char* version;
  const char* phrase;

  friend void PrintTo(const BadCall& bad, std::ostream* out) { *out << bad.name; }
};

class PluginError : public testing::TestWithParam<BadCall> {};

TEST_P(PluginError, IsOneJsonObjectAndExitStatus1) {
  const auto& bad = GetParam();

  expect_error(call(bad.command, bad.input), bad.code, bad.version, bad.phrase);
}

INSTANTIATE_TEST_SUITE_P(
    Plugin, PluginError,
    testing::Values(
        BadCall{"UnknownCommand", "UPDATE", R"({"cniVersion": "1.1.0", "name": "net"})", 4, "1.1.0",
                "\"UPDATE\" is unknown"},
        BadCall{"EmptyInput", "ADD", "", 6, "1.1.0", "empty"},
        BadCall{"Garbage", "DEL", "garbage", 6, "1.1.0", "not a JSON object"},
        BadCall{"NoText", "ADD", std::string("\xff\xfe\0{", 4), 6, "1.1.0", "not a JSON object"},
        BadCall{"UnknownVersion", "ADD", R"({"cniVersion": "0.9.0", "name": "net"})", 1, "1.1.0",
                "\"0.9.0\" is not supported"},
        BadCall{"CheckBeforeItsVersion", "CHECK", R"({"name": "net"})", 1, "1.1.0", "0.4.0"},
        BadCall{"WrongKey", "ADD", R"({"cniVersion": "0.3.1", "name": "net", "mtu": "x"})", 7,
                "0.3.1", "\"mtu\""},
        BadCall{"Ipam", "ADD",
                R"({"cniVersion": "1.0.0", "name": "net", "ipam": {"type": "../sh"}})", 7, "1.0.0",
                "\"ipam.type\""},
        BadCall{"UnknownLogLevel", "ADD",
                R"({"cniVersion": "1.0.0", "name": "net", "logLevel": "loud"})", 7, "1.0.0",
                "\"logLevel\": \"loud\" is not one of"},
        BadCall{"StatusBefore110", "STATUS", R"({"cniVersion": "1.0.0", "name": "net"})", 1,
                "1.0.0", "STATUS came with cniVersion 1.1.0; the configuration is of 1.0.0"},
        BadCall{"CheckBefore040", "CHECK", R"({"cniVersion": "0.3.1", "name": "net"})", 1, "0.3.1",
                "CHECK came with cniVersion 0.4.0; the configuration is of 0.3.1"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Plugin, AnswersAMissingEnvironmentInTheVersionOfTheConfiguration) {
  const auto answer =
      run_plugin([](const char*) { return nullptr; }, R"({"cniVersion": "0.4.0", "name": "net"})");

  expect_error(answer, 4, "0.4.0", "CNI_COMMAND");
}

TEST(Plugin, AnswersAnEnvironmentOfInvalidUtf8) {
  const auto answer = run_plugin([](const char*) { return "\xff\xfe"; }, "{}");

  expect_error(answer, 4, "1.1.0", "is unknown");
}

TEST(Plugin, AnswersVersionWhateverItsInput) {
  for (const auto* input : {"", "garbage", R"({"cniVersion": "0.4.0"})"}) {
    const auto answer = call("VERSION", input);

    EXPECT_EQ(answer.exit_status, 0) << input;
    EXPECT_EQ(json::parse(answer.output).at("supportedVersions").size(), 7u) << input;
  }
}

TEST(Plugin, EchoesTheVersionOfVersion) {
  const auto answer = call("VERSION", R"({"cniVersion": "0.4.0"})");

  EXPECT_EQ(json::parse(answer.output).at("cniVersion"), "0.4.0");
}

class PluginStatus : public testing::Test {
 protected:
  PluginAnswer status(const json& changes = json::object()) const {
    json conf{{"cniVersion", "1.1.0"},     {"name", "net"},
              {"type", "kube-cni"},        {"dataplane", "bridge"},
              {"subnet", "10.200.0.0/30"}, {"stateDir", dir_.path().string()}};
    conf.merge_patch(changes);
    return call("STATUS", conf.dump());
  }
  TempDir dir_;
};

TEST_F(PluginStatus, SaysNothingWhenTheNextAddWouldWork) {
  const auto answer = status();

  EXPECT_EQ(answer.output, "");
  EXPECT_EQ(answer.exit_status, 0);
}

// DEL and GC free addresses: nobody has to act.
TEST_F(PluginStatus, IsAvailableWhenEveryAddressIsInUse) {
  LeaseStore leases(dir_.path(), "net");
  const auto pool = Pool::of(IpNet::parse("10.200.0.0/30").value()).value();
  const std::string living = "/proc/self/ns/net";
  const auto netns = identify_netns(open_netns(living).value().get(), living).value();
  ASSERT_TRUE(leases.allocate({{pool}}, {"other", "eth0"}, netns));

  EXPECT_EQ(status().output, "");
}

TEST_F(PluginStatus, IsNotAvailableBeforeTheSubnetIsKnown) {
  expect_error(status({{"subnet", nullptr}}), 50, "1.1.0", "the node's subnet is not known");
}

TEST_F(PluginStatus, ChangesNothing) {
  status();

  EXPECT_THAT(list_directory(dir_.path()).value(), testing::IsEmpty());
}

}  // namespace
}  // namespace kubecni::test
