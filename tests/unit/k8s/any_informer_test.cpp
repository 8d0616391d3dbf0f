// How much memory a list takes in the informers, in a cluster of 5000 nodes of real size.

#include "await.hpp"
#include "base/file.hpp"
#include "k8s/api_node_source.hpp"
#include "test_api_server/api_server.hpp"

#include <gtest/gtest.h>

#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

namespace kubecni {
namespace {

using test::ApiServer;
using test::make_node;

constexpr int kNodes = 1500;
constexpr std::chrono::seconds kLong{50};
constexpr int kNodesAPage = 500;  // as the source asks for

long peak_kb() {
  const std::string text = read_file("/proc/self/status").value();
  return std::stol(text.substr(text.find("VmHWM:") + 6));
}

/// Lists in a separate process, so that nothing else counts. Result: the growth of its peak memory,
/// in kB.
long growth_of_a_list(const ApiConfig& config) {
  int ends[2];
  if (::pipe(ends) != 0) return -1;
  ::malloc_trim(0);  // free memory here would hide the list's
  const pid_t child = ::fork();
  if (child == 0) {
    const long before = peak_kb();
    long growth = -1;
    {
      const auto source = std::move(*ApiNodeSource::start(config));
      if (!test::is_readable(source->fd(), kLong)) ::_exit(1);
      const auto news = test::taken(*source);
      if (news && *news && (*news)->nodes.size() == kNodes) growth = peak_kb() - before;
    }
    ::_exit(::write(ends[1], &growth, sizeof(growth)) == sizeof(growth) ? 0 : 1);
  }
  long growth = -1;
  ::close(ends[1]);
  if (::read(ends[0], &growth, sizeof(growth)) != sizeof(growth)) growth = -1;
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return growth;
}

TEST(ApiMemory, AListTakesNoMoreThanTheTableAndLessThanOnePage) {
  auto server = std::move(*ApiServer::start());
  std::vector<nlohmann::json> nodes;
  for (int i = 0; i < kNodes; ++i) {
    const std::string place = std::to_string(i / 250) + "." + std::to_string(i % 250);
    nodes.push_back(make_node("node-with-a-long-name-" + std::to_string(i), "172.16." + place,
                              "10." + place + ".0/24"));
  }
  server->replace_nodes(nodes);
  server->set_ballast(test::make_node_ballast());
  ApiConfig config;
  config.server = server->url();
  const auto page_kb =
      static_cast<long>(kNodesAPage * test::make_node_ballast().dump().size()) / 1024;

  const long growth_kb = growth_of_a_list(config);

  EXPECT_EQ(server->counters().lists, kNodes / kNodesAPage);
  EXPECT_GT(growth_kb, 0);
  EXPECT_LT(growth_kb, page_kb);
  RecordProperty("growth_kb", static_cast<int>(growth_kb));
}

}  // namespace
}  // namespace kubecni
