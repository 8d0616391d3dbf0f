#include "cni_env.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace kubecni::test {
namespace {

using testing::HasSubstr;

using Variables = std::map<std::string, std::string>;

CniResult<CniEnv> read(const Variables& variables) {
  return read_cni_env([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

Variables whole(const std::string& command) {
  return {{"CNI_COMMAND", command},
          {"CNI_CONTAINERID", "0123456789abcdef"},
          {"CNI_NETNS", "/run/netns/pod"},
          {"CNI_IFNAME", "eth0"},
          {"CNI_ARGS", "K8S_POD_NAME=web"}};
}

/// The message of the refusal; empty when there is none.
std::string refusal(const Variables& variables) {
  const auto env = read(variables);
  if (env) return "";
  EXPECT_EQ(env.error().code, CniCode::kInvalidEnvironment);
  return env.error().msg;
}

Variables with(const std::string& name, const std::string& value) {
  auto variables = whole("ADD");
  variables[name] = value;
  return variables;
}

TEST(CniEnv, HasAllVariablesOfTheCall) {
  const auto env = read(whole("ADD"));

  ASSERT_TRUE(env);
  EXPECT_EQ(env->command, "ADD");
  EXPECT_EQ(env->container_id, "0123456789abcdef");
  EXPECT_EQ(env->netns, "/run/netns/pod");
  EXPECT_EQ(env->ifname, "eth0");
  EXPECT_EQ(env->args, "K8S_POD_NAME=web");
}

struct Needs {
  const char* command;
  const char* missing;

  friend void PrintTo(const Needs& needs, std::ostream* out) { *out << needs.command; }
};

class CniEnvNeeds : public testing::TestWithParam<Needs> {};

TEST_P(CniEnvNeeds, NamesAllThatIsMissingAtOnce) {
  EXPECT_THAT(refusal({{"CNI_COMMAND", GetParam().command}}), HasSubstr(GetParam().missing));
}

TEST_P(CniEnvNeeds, TakesAnEmptyVariableForMissing) {
  EXPECT_THAT(refusal({{"CNI_COMMAND", GetParam().command},
                       {"CNI_CONTAINERID", ""},
                       {"CNI_NETNS", ""},
                       {"CNI_IFNAME", ""}}),
              HasSubstr(GetParam().missing));
}

INSTANTIATE_TEST_SUITE_P(Verbs, CniEnvNeeds,
                         testing::Values(Needs{"ADD", "[CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME]"},
                                         Needs{"CHECK", "[CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME]"},
                                         Needs{"DEL", "[CNI_CONTAINERID,CNI_IFNAME]"}));

TEST(CniEnv, NamesOnlyWhatIsMissing) {
  auto variables = whole("ADD");
  variables.erase("CNI_NETNS");

  EXPECT_THAT(refusal(variables), HasSubstr("[CNI_NETNS]"));
}

TEST(CniEnv, NeedsNoNamespaceForADel) {
  auto variables = whole("DEL");
  variables.erase("CNI_NETNS");

  EXPECT_TRUE(read(variables));
}

TEST(CniEnv, NeedsNothingMoreForVersionStatusAndGc) {
  EXPECT_TRUE(read({{"CNI_COMMAND", "GC"}}));
  EXPECT_TRUE(read({{"CNI_COMMAND", "VERSION"}}));
  EXPECT_TRUE(read({{"CNI_COMMAND", "STATUS"}}));
}

TEST(CniEnv, ListsTheCommandsWhenItsOwnIsUnknown) {
  for (const auto* command : {"", "add", "ADD ", "UPDATE"})
    EXPECT_THAT(refusal(whole(command)), HasSubstr("one of ADD, DEL, CHECK, STATUS, GC, VERSION"))
        << command;
  EXPECT_THAT(refusal({}), HasSubstr("CNI_COMMAND"));
}

TEST(CniEnv, TakesEveryContainerIdThatTheSpecificationAllows) {
  for (const auto& id : {std::string("a"), std::string("7"), std::string("A-b_c.9"),
                         std::string("a.."), std::string(200, 'f')})
    EXPECT_TRUE(read(with("CNI_CONTAINERID", id))) << id;
}

TEST(CniEnv, RefusesAContainerIdThatCannotBeAFileName) {
  for (const auto& id :
       {std::string("."), std::string(".."), std::string("../etc"), std::string("a/b"),
        std::string("a:b"), std::string("-a"), std::string("_a"), std::string(".a"),
        std::string("a b"), std::string("a\n"), std::string("a;b"), std::string("caf\xc3\xa9"),
        std::string("\xff"), std::string(201, 'f')})
    EXPECT_THAT(refusal(with("CNI_CONTAINERID", id)), HasSubstr("CNI_CONTAINERID \"" + id)) << id;
}

TEST(CniEnv, TakesEveryInterfaceNameThatTheKernelTakes) {
  for (const auto* name : {"e", "eth0", "net1.100", "a-b_c", "fifteen-letters", "..."})
    EXPECT_TRUE(read(with("CNI_IFNAME", name))) << name;
}

TEST(CniEnv, RefusesAnInterfaceNameThatTheKernelRefuses) {
  for (const auto* name :
       {".", "..", "a/b", "a:b", "a b", "eth0\n", "\t", "sixteen-letters-", "\x7f"})
    EXPECT_THAT(refusal(with("CNI_IFNAME", name)), HasSubstr("CNI_IFNAME \"")) << name;
}

TEST(CniEnv, NamesAllThatIsWrongAtOnce) {
  auto variables = with("CNI_IFNAME", "a/b");
  variables["CNI_CONTAINERID"] = "..";

  const auto message = refusal(variables);

  EXPECT_THAT(message, HasSubstr("CNI_CONTAINERID \"..\""));
  EXPECT_THAT(message, HasSubstr("CNI_IFNAME \"a/b\""));
}

TEST(CniEnv, ChecksNoVariableThatTheCommandDoesNotNeed) {
  auto variables = whole("VERSION");
  variables["CNI_IFNAME"] = "a/b";
  variables["CNI_CONTAINERID"] = "..";

  EXPECT_TRUE(read(variables));
}

struct Args {
  const char* args;
  const char* pod;

  friend void PrintTo(const Args& args, std::ostream* out) { *out << '"' << args.args << '"'; }
};

class CniArgs : public testing::TestWithParam<Args> {};

TEST_P(CniArgs, SayWhichPodItIs) {
  CniEnv env;
  env.args = GetParam().args;

  EXPECT_EQ(env.pod(), GetParam().pod);
}

INSTANTIATE_TEST_SUITE_P(
    Args, CniArgs,
    testing::Values(Args{"", ""}, Args{"IgnoreUnknown=1", ""}, Args{"garbage;;==;", ""},
                    Args{"K8S_POD_NAME=web", "web"},
                    Args{"IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_UID=7",
                         "shop/web"},
                    Args{"K8S_POD_NAME=web;K8S_POD_NAMESPACE=shop", "shop/web"},
                    Args{"MY_K8S_POD_NAME=no;K8S_POD_NAME_2=no;K8S_POD_NAME=web", "web"},
                    Args{"K8S_POD_NAME=", ""}, Args{"K8S_POD_NAME=a=b", "a=b"}));

}  // namespace
}  // namespace kubecni::test
