// status.json: what the daemon reports, as kube-cnictl shows it.

#include "daemon_report.hpp"
#include "fuzz.hpp"
#include "print.hpp"

#include <cerrno>
#include <iostream>

using namespace kubecni;
using nlohmann::json;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::cout.rdbuf(nullptr);

  auto report = parse_daemon_report(fuzz::text_from(data, size));

  if (!report) {
    fuzz::require(report.error().code == EBADMSG, "the report is good or damaged");
    return 0;
  }
  (*report)["running"] = false;
  print_status({{"dataplane", {{"loaded", true}, {"schema", 1}}},
                {"daemon", *report},
                {"podsOnEbpf", 0},
                {"podsOnKernelPath", json::array()},
                {"damaged", json::array()}});
  return 0;
}
