// The CNI_* variables, CNI_ARGS among them: a line of the input each.

#include "fuzz.hpp"
#include "requests.hpp"

#include <map>
#include <sstream>

using namespace kubecni;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::istringstream lines(fuzz::text_from(data, size));
  std::map<std::string, std::string> variables;
  for (const char* name :
       {"CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH"}) {
    std::string value;
    std::getline(lines, value);
    variables[name] = value.c_str();  // a variable ends at its first zero byte
  }

  const auto env = read_cni_env([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });

  if (!env) {
    require(env.error().code == CniCode::kInvalidEnvironment, "a refusal has code 4");
    return 0;
  }
  if (env->command == "ADD" || env->command == "DEL" || env->command == "CHECK") {
    require(is_cni_id(env->container_id), "a container's id can be a file name");
    require(is_ifname(env->ifname), "an interface name is one");
  }
  require(env->pod().size() <= env->args.size(), "the pod's name is a part of CNI_ARGS");
  const auto requests = read_requests(*env, {});
  if (requests && requests->mac) require((requests->mac->bytes[0] & 1) == 0, "MACs are unicast");
  return 0;
}
