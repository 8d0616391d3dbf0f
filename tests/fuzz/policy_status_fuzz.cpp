// policies.json: what the daemon reports, as kube-cnictl shows it.

#include "fuzz.hpp"
#include "print_policy.hpp"
#include "state/policy_status.hpp"

#include <cerrno>
#include <iostream>

using namespace kubecni;
using nlohmann::json;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::cout.rdbuf(nullptr);

  const auto status = parse_policy_status(fuzz::text_from(data, size));

  if (!status) {
    fuzz::require(status.error().code == EBADMSG, "the report is good or damaged");
    return 0;
  }
  print_policy({{"daemon", to_json(*status)},
                {"running", false},
                {"hasTable", false},
                {"chains", json::array()}});
  return 0;
}
