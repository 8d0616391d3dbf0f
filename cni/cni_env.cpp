#include "cni_env.hpp"

#include "base/text.hpp"
#include "config/cni_spec.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <sstream>
#include <string_view>
#include <vector>

namespace kubecni {

namespace {

struct CommandNeeds {
  std::string_view command;
  bool container;
  bool netns;
};
constexpr std::array kCommands{
    CommandNeeds{"ADD", true, true},   CommandNeeds{"DEL", true, false},
    CommandNeeds{"CHECK", true, true}, CommandNeeds{"STATUS", false, false},
    CommandNeeds{"GC", false, false},  CommandNeeds{"VERSION", false, false},
};

}  // namespace

std::string CniEnv::arg(std::string_view key) const {
  std::istringstream pairs(args);
  std::string pair;
  while (std::getline(pairs, pair, ';')) {
    if (pair.starts_with(key) && pair.size() > key.size() && pair[key.size()] == '=')
      return pair.substr(key.size() + 1);
  }
  return "";
}

std::string CniEnv::pod() const {
  const std::string name = arg("K8S_POD_NAME");
  const std::string space = arg("K8S_POD_NAMESPACE");
  return space.empty() ? name : space + "/" + name;
}

CniResult<CniEnv> read_cni_env(const GetEnv& get) {
  const auto text = [&](const char* name) {
    const char* value = get(name);
    return std::string(value ? value : "");
  };
  CniEnv env{text("CNI_COMMAND"), text("CNI_CONTAINERID"), text("CNI_NETNS"),
             text("CNI_IFNAME"),  text("CNI_ARGS"),        text("CNI_PATH")};
  const auto* needs = std::ranges::find(kCommands, env.command, &CommandNeeds::command);
  if (needs == kCommands.end())
    return cni_error(CniCode::kInvalidEnvironment,
                     "CNI_COMMAND \"" + env.command +
                         "\" is unknown; it is one of ADD, DEL, CHECK, STATUS, GC, VERSION");

  std::vector<std::string> missing;
  if (needs->container && env.container_id.empty()) missing.emplace_back("CNI_CONTAINERID");
  if (needs->netns && env.netns.empty()) missing.emplace_back("CNI_NETNS");
  if (needs->container && env.ifname.empty()) missing.emplace_back("CNI_IFNAME");
  if (!missing.empty())
    return cni_error(CniCode::kInvalidEnvironment, env.command + ": required env variables [" +
                                                       joined(missing, ",") + "] missing");

  std::vector<std::string> wrong;
  if (needs->container && !is_cni_id(env.container_id))
    wrong.push_back("CNI_CONTAINERID \"" + env.container_id +
                    "\" (letters, digits, '_', '.', '-'; at most 200)");
  if (needs->container && !is_ifname(env.ifname))
    wrong.push_back("CNI_IFNAME \"" + env.ifname + "\" (" + std::string(kIfnameRule) + ")");
  if (!wrong.empty())
    return cni_error(CniCode::kInvalidEnvironment,
                     env.command + ": invalid env variables: " + joined(wrong, "; "));
  return env;
}

}  // namespace kubecni
