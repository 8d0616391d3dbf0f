// C20 to C22, C24, C25, C27 to C30: ADD of one container.

#include "case.hpp"
#include "result_schema.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <fstream>

namespace kubecni::cnicheck {

using nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kDadTime{1000};  // of RFC 4862, with the kernel's defaults

/// An ADD that must fail, with one of `codes` if any are given.
Result<> expect_add_fails(Scenario& scenario, const Target& target, int pod_fd,
                          std::initializer_list<unsigned> codes, const std::string& what) {
  auto chain = scenario.bench.runner().add(scenario.bench.network(), target);
  if (!chain) return fail(chain);
  auto error = expect_error(chain->end, codes, what);
  if (error) return {};
  scenario.remember({scenario.bench.network(), target, chain->result, pod_fd});
  return fail(error);
}

Verdict ifname_exists(Scenario& scenario) {
  auto pod = scenario.new_pod();
  if (!pod) return fail(pod);
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{"link", "add", "eth0", "type", "veth", "peer", "name", "other"},
        {"address", "add", "203.0.113.9/24", "dev", "eth0"},
        {"link", "set", "eth0", "up"}})
    if (auto done = run_ip((*pod)->fd(), args); !done) return fail(done);
  auto pod_before = KernelSnapshot::take((*pod)->fd());
  auto before = scenario.look();
  if (!pod_before || !before) return failure(EIO, "no snapshot");

  const Target target{scenario.bench.next_name(), (*pod)->path()};
  if (auto failed = expect_add_fails(scenario, target, (*pod)->fd(), {}, "ADD where eth0 exists");
      !failed)
    return fail(failed);
  if (auto same = scenario.expect_pod_unchanged(*pod_before, (*pod)->fd(), "the existing eth0");
      !same)
    return fail(same);
  if (auto same = scenario.expect_unchanged(*before, "after the failed ADD", target.container_id);
      !same)
    return fail(same);
  return "";
}

Verdict no_such_netns(Scenario& scenario) {
  auto before = scenario.look();
  if (!before) return fail(before);
  const auto file = scenario.bench.folder() / "no-namespace";
  std::ofstream(file) << "just a file";
  for (const std::string& path : {std::string("/run/netns/cnicheck-none"), file.string(),
                                  scenario.bench.folder().string(), std::string("relative")}) {
    const Target target{scenario.bench.next_name(), path};
    const std::string what = "ADD with CNI_NETNS=" + path;
    if (auto failed = expect_add_fails(scenario, target, -1, {}, what); !failed)
      return fail(failed);
    if (auto same = scenario.expect_unchanged(*before, what, target.container_id); !same)
      return fail(same);
  }
  return "";
}

Verdict own_netns(Scenario& scenario) {
  auto before = scenario.look();
  if (!before) return fail(before);
  const Target target{scenario.bench.next_name(), scenario.bench.node().path(), "cnicheck1"};
  auto failed = expect_add_fails(scenario, target, scenario.bench.node().fd(), {8},
                                 "ADD with the node's own namespace");
  if (!failed) return fail(failed);
  if (auto same = scenario.expect_unchanged(*before, "after it", target.container_id); !same)
    return fail(same);
  return "";
}

Result<> expect_in_kernel(Scenario& scenario, const Attachment& attachment) {
  auto pod = scenario.look_at(attachment);
  if (!pod) return fail(pod);
  const auto& ifname = attachment.target.ifname;
  if (pod->link(ifname).is_null())
    return unmet("the pod", "an interface " + ifname, "none of that name");
  return {};
}

Verdict second_interface(Scenario& scenario) {
  auto first = scenario.attach();
  if (!first) return fail(first);
  const int pod_fd = (*first)->pod_fd;
  Target target = (*first)->target;
  target.ifname = "eth1";
  auto second = scenario.attach(scenario.bench.network(), target, pod_fd);
  if (!second) return fail(second, "the second interface");
  for (const auto* one : {*first, *second})
    if (auto there = expect_in_kernel(scenario, *one); !there) return fail(there);
  if (auto gone = scenario.detach(**second); !gone) return fail(gone, "the second interface");
  if (auto there = expect_in_kernel(scenario, **first); !there)
    return fail(there, "after the DEL of the second");
  return "";
}

Verdict same_twice(Scenario& scenario) {
  auto first = scenario.attach();
  if (!first) return fail(first);
  auto before = scenario.look();
  auto pod_before = scenario.look_at(**first);
  if (!before || !pod_before) return failure(EIO, "no snapshot");
  auto chain = scenario.bench.runner().add((*first)->network, (*first)->target);
  if (!chain) return fail(chain);
  if (auto error = expect_error(chain->end, {}, "the same ADD again"); !error) return fail(error);
  if (auto same = scenario.expect_pod_unchanged(*pod_before, (*first)->pod_fd, "the first"); !same)
    return fail(same);
  if (auto same = scenario.expect_unchanged(*before, "the first's node side"); !same)
    return fail(same);
  if (!scenario.bench.require_verb("CHECK", "0.4.0")) return "";
  auto check = scenario.bench.runner().check((*first)->network, (*first)->target, (*first)->result);
  if (!check) return fail(check);
  if (auto well = expect_silent_success(check->end, "CHECK of the first"); !well) return fail(well);
  return "";
}

Verdict dual_stack(Scenario& scenario) {
  auto network = scenario.bench.other_network(scenario.bench.settings().dual_conf, "--dual-conf");
  if (!network) return fail(network);
  std::vector<int> order;
  for (int round = 0; round < 2; ++round) {
    auto attached = scenario.attach(&*network);
    if (!attached) return fail(attached);
    std::vector<int> families;
    for (const auto& net : result_addresses((*attached)->result))
      families.push_back(net.addr.family());
    if (std::ranges::find(families, AF_INET) == families.end() ||
        std::ranges::find(families, AF_INET6) == families.end())
      return unmet("the result", "both families", (*attached)->result.dump());
    if (round != 0 && families != order)
      return unmet("the second ADD", "the order of the first", (*attached)->result.dump());
    order = families;
    for (const auto& ip : (*attached)->result.value("ips", json::array())) {
      const json interface = (*attached)->result["interfaces"][ip.value("interface", 0U)];
      if (!ip.contains("interface") || interface.value("name", "") != "eth0" ||
          interface.value("sandbox", "") != (*attached)->target.netns)
        return unmet("each address", "the index of the pod's eth0", ip.dump());
    }
    if (auto gone = scenario.detach(**attached); !gone) return fail(gone);
  }
  return order.front() == AF_INET ? "IPv4 first" : "IPv6 first";
}

Verdict no_dad(Scenario& scenario) {
  auto network = scenario.bench.other_network(scenario.bench.settings().dual_conf, "--dual-conf");
  if (!network) return fail(network);
  const auto start = std::chrono::steady_clock::now();
  auto attached = scenario.attach(&*network);
  const auto took = std::chrono::ceil<milliseconds>(std::chrono::steady_clock::now() - start);
  if (!attached) return fail(attached);
  auto pod = scenario.look_at(**attached);
  if (!pod) return fail(pod);
  const json link = pod->link("eth0");
  if (link.is_null()) return unmet("the pod", "an interface eth0", "none");
  for (const auto& address : link.value("addr_info", json::array()))
    if (address.value("tentative", false) && address.value("scope", "") == "global")
      return unmet("address " + address.value("local", ""), "usable at once", "tentative");
  std::string text = std::to_string(took.count()) + " ms";
  if (took >= kDadTime) return unmet("ADD", "less than 1 s", text);
  return text;
}

constexpr Case kAddCases[] = {
    {"C20", "an existing interface is an error and stays as it is", nullptr, nullptr,
     &ifname_exists},
    {"C21", "no namespace at CNI_NETNS is an error and leaves nothing", nullptr, nullptr,
     &no_such_netns},
    {"C22", "the node's own namespace is error 8 and changes nothing", nullptr, nullptr,
     &own_netns},
    {"C24", "a second interface of the same container works", nullptr, nullptr, &second_interface},
    {"C25", "the same ADD again is an error, the first pod still works", nullptr, nullptr,
     &same_twice},
    {"C28", "dual stack: a stable order, each address with its index", nullptr, nullptr,
     &dual_stack},
    {"C29", "IPv6 duplicate address detection does not delay ADD", nullptr, nullptr, &no_dad},
};

}  // namespace

std::span<const Case> add_cases() { return kAddCases; }

}  // namespace kubecni::cnicheck
