// kube-cni-soak: does to two nodes what happens to nodes, while their pods talk, and counts what is
// wrong, reset and lost. See docs/reliability.md.

#include "rig.hpp"
#include "support/sandbox.hpp"
#include "support/socket.hpp"
#include "tcp_connections.hpp"
#include "udp_stream.hpp"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <vector>

namespace kubecni::test {
namespace {

struct Options {
  unsigned connections = 200;
  unsigned bytes_per_second = 50'000;
  unsigned packets_per_second = 10'000;
  double share = 1;
  std::string routing = "both";
  bool is_short = false;
};

struct Disturbance {
  const char* name;
  unsigned rounds;  ///< of a whole run
  void (Rig::*once)(unsigned round);
};
constexpr Disturbance kDisturbances[] = {
    {"switch between eBPF and kernel path", 1000, &Rig::switch_path},
    {"daemon killed (SIGKILL) and started", 200, &Rig::kill_daemon},
    {"upgrade to another schema and back", 50, &Rig::upgrade},
    {"settings rewritten: other routing and back", 50, &Rig::change_settings},
    {"API server gone and back", 10, &Rig::take_api_server_away},
    {"bpffs unmounted and mounted", 10, &Rig::unmount_bpffs},
    {"the same, kept by another mount", 10, &Rig::unmount_kept_bpffs},
    {"all programs detached by hand", 20, &Rig::detach_all},
    {"all maps emptied", 20, &Rig::empty_all_maps},
};
constexpr std::chrono::seconds kUndisturbed{10};

/// The traffic from one pod to another.
struct Way {
  Way(std::string way, const NetNs& from, const Pod& to, const Options& options)
      : name(std::move(way)),
        tcp(from, to.netns, to.address, (options.connections + 1) / 2, options.bytes_per_second),
        udp(from, to.netns, to.address, (options.packets_per_second + 1) / 2) {}
  std::string name;
  TcpConnections tcp;
  UdpStream udp;
  TcpConnections::Figures before;
};

struct Sum {
  std::uint64_t bytes = 0, wrong = 0, reset = 0, lost = 0;
  [[nodiscard]] bool is_clean() const { return wrong == 0 && reset == 0 && lost == 0; }
};

void print_header() {
  std::cout << "| way | what was done | times | s | bytes verified | wrong | connections reset "
               "| datagrams | lost | longest gap ms |\n"
               "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
}

/// Prints what happened since the last call.
void report(Way& way, const std::string& what, unsigned rounds, double seconds, Sum& sum) {
  const UdpStream::Figures udp = way.udp.take();
  const TcpConnections::Figures tcp = way.tcp.figures();
  const std::uint64_t bytes = tcp.bytes - way.before.bytes;
  const std::uint64_t wrong = tcp.wrong - way.before.wrong;
  const std::uint64_t reset = tcp.reset - way.before.reset;
  way.before = tcp;
  std::cout << "| " << way.name << " | " << what << " | " << rounds << " | " << std::fixed
            << std::setprecision(0) << seconds << " | " << bytes << " | " << wrong << " | " << reset
            << " | " << udp.sent << " | " << udp.lost << " | " << std::setprecision(1)
            << static_cast<double>(udp.longest_gap.count()) / 1000 << " |" << std::endl;
  sum.bytes += bytes;
  sum.wrong += wrong;
  sum.reset += reset;
  sum.lost += udp.lost;
}

unsigned rounds_of(const Disturbance& disturbance, const Options& options) {
  return std::max(1U, static_cast<unsigned>(std::lround(disturbance.rounds * options.share)));
}

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

void soak(const std::string& routing, const Options& options, Sum& sum) {
  Rig rig(routing);
  Way here("same node", rig.near.netns, *rig.cluster.pod_a, options);
  Way there(routing, rig.near.netns, *rig.cluster.pod_b, options);
  const std::vector<Way*> ways{&here, &there};
  const auto measure = [&](const char* what, unsigned rounds, const auto& body) {
    const auto begin = Clock::now();
    body();
    const double seconds = seconds_since(begin);
    for (Way* way : ways) report(*way, what, rounds, seconds, sum);
  };
  rig.cut_pod_off();
  if (there.udp.take().lost == 0)
    throw std::runtime_error(
        "a pod that was cut off has lost nothing: this run would see no fault");
  (void)here.udp.take();  // the start is no disturbance

  measure("nothing", 1, [&] {
    std::this_thread::sleep_for(options.is_short ? kUndisturbed / 10 : kUndisturbed);
  });
  for (const Disturbance& disturbance : kDisturbances) {
    const unsigned rounds = rounds_of(disturbance, options);
    measure(disturbance.name, rounds, [&] {
      for (unsigned round = 0; round < rounds; ++round) (rig.*disturbance.once)(round);
    });
  }
  for (Way* way : ways) (void)way->tcp.finish();
  for (Way* way : ways) report(*way, "what was on the way at the end", 1, 0, sum);
}

int run(const Options& options) {
  Sum sum;
  print_header();
  for (const char* routing : {"direct", "vxlan"})
    if (options.routing == "both" || options.routing == routing) soak(routing, options, sum);
  std::cout << "\n"
            << sum.bytes << " bytes verified, " << sum.wrong << " wrong; " << sum.reset
            << " connections reset; " << sum.lost << " datagrams lost" << std::endl;
  return sum.is_clean() ? 0 : 1;
}

int run_caught(const Options& options) {
  try {
    return run(options);
  } catch (const std::exception& error) {
    std::cerr << "kube-cni-soak: " << error.what() << "\n";
    return 2;
  }
}

}  // namespace
}  // namespace kubecni::test

int main(int argc, char** argv) {
  kubecni::test::Options options;
  CLI::App app("Disturbs two nodes while their pods talk; ends with 1 if anything was lost.",
               "kube-cni-soak");
  app.set_version_flag("--version", KUBECNI_VERSION);
  app.add_flag("--short", options.is_short,
               "1 % of the rounds, 20 connections, 1000 datagrams per second: less than a minute");
  app.add_option("--rounds", options.share, "This part of the rounds of a whole run, at least one")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--connections", options.connections, "TCP connections, half of them to each pod")
      ->capture_default_str();
  app.add_option("--bytes", options.bytes_per_second, "Bytes per second of a connection")
      ->capture_default_str();
  app.add_option("--datagrams", options.packets_per_second, "Datagrams per second")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--routing", options.routing, "direct, vxlan, or both")
      ->check(CLI::IsMember({"direct", "vxlan", "both"}))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (options.is_short) {
    options.share = 0.01;
    options.connections = 20;
    options.packets_per_second = 1000;
  }
  if (::geteuid() != 0) {
    std::cerr << "kube-cni-soak: needs root, for network namespaces and eBPF\n";
    return 2;
  }
  return kubecni::test::run_in_sandbox([&] { return kubecni::test::run_caught(options); });
}
