#include "test_plugins.hpp"

#include "base/file.hpp"
#include "network.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>

namespace kubecni::cnicheck {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxInputBytes = 4 << 20;

int answer(const json& reply, int status) {
  std::cout << reply.dump() << std::flush;
  return status;
}

json first_result(const json& conf) {
  json result{{"cniVersion", conf.value("cniVersion", "0.1.0")},
              {"interfaces", {{{"name", "cnicheck0"}, {"mac", "02:00:00:00:00:01"}}}},
              {"dns", {{"nameservers", {"192.0.2.53"}}}}};
  if (conf.contains("prevResult")) result.update(conf["prevResult"]);
  return result;
}

json ipam_result(const json& conf, const json& ipam) {
  json ip{{"address", ipam.value("address", "198.51.100.7/24")}};
  const std::string version = conf.value("cniVersion", "0.1.0");
  if (!is_at_least(version, "1.0.0")) ip["version"] = "4";
  return {{"cniVersion", version}, {"ips", {ip}}, {"dns", json::object()}};
}

int run_ipam(const std::string& verb, const json& conf) {
  const json ipam = conf.value("ipam", json::object());
  if (ipam.contains("log"))
    std::ofstream(ipam["log"].get<std::string>(), std::ios::app) << verb << "\n";
  if (verb == "ADD") return answer(ipam_result(conf, ipam), 0);
  if (verb == "STATUS" && ipam.contains("statusCode"))
    return answer({{"cniVersion", conf.value("cniVersion", "1.1.0")},
                   {"code", ipam["statusCode"]},
                   {"msg", "cnicheck-ipam says no"}},
                  1);
  return 0;
}

}  // namespace

Result<> link_test_plugins(const fs::path& folder) {
  std::error_code failed;
  const fs::path self = fs::read_symlink("/proc/self/exe", failed);
  for (const char* name : {kFirstPlugin, kIpamPlugin})
    if (!failed) fs::create_symlink(self, folder / name, failed);
  if (failed) return sys_error(failed.value(), "link cnicheck into " + folder.string());
  return {};
}

bool is_test_plugin(const std::string& program) {
  const std::string name = fs::path(program).filename();
  return name == kFirstPlugin || name == kIpamPlugin;
}

int run_test_plugin(const std::string& program) {
  const char* command = std::getenv("CNI_COMMAND");
  const std::string verb = command ? command : "";
  if (verb == "VERSION")
    return answer({{"cniVersion", "1.1.0"}, {"supportedVersions", kSpecVersions}}, 0);
  const auto input = read_all(STDIN_FILENO, kMaxInputBytes);
  const json conf = input ? json::parse(*input, nullptr, false) : json();
  if (!conf.is_object())
    return answer({{"code", 6}, {"msg", "standard input is no JSON object"}}, 1);
  if (fs::path(program).filename() == kIpamPlugin) return run_ipam(verb, conf);
  return verb == "ADD" ? answer(first_result(conf), 0) : 0;
}

}  // namespace kubecni::cnicheck
