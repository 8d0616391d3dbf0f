// status.json: what the daemon reports, as kube-cnictl shows it.

#include "fuzz.hpp"
#include "print.hpp"
#include "state/daemon_status.hpp"

#include <cerrno>
#include <iostream>

using namespace kubecni;
using nlohmann::json;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::cout.rdbuf(nullptr);

  const auto status = parse_daemon_status(fuzz::text_from(data, size));

  if (!status) {
    fuzz::require(status.error().code == EBADMSG, "the report is good or damaged");
    return 0;
  }
  json report = to_json(*status);
  report["running"] = false;
  print_status({{"dataplane", {{"loaded", true}, {"schema", 1}, {"otherSchemas", json::array()}}},
                {"daemon", report},
                {"programs", json::array()},
                {"podsOnEbpf", 0},
                {"podsOnKernelPath", json::array()},
                {"damaged", json::array()}});
  return 0;
}
