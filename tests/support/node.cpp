#include "support/node.hpp"

#include "net/sysctl.hpp"
#include "support/program.hpp"

#include <net/if.h>

#include <cstdlib>

namespace kubecni::test {

using nlohmann::json;

unsigned CniAnswer::code() const { return json.is_object() ? json.value("code", 0U) : 0; }

std::string CniAnswer::msg() const {
  return json.is_object() && json.contains("msg")
             ? json["msg"].get<std::string>()
             : "status " + std::to_string(status) + ", " + out + err;
}

Node::Node(const std::string& name, std::vector<std::string> subnets, std::string dataplane)
    : netns(name),
      folder_("/run/kube-cni-test/" + name),
      bpffs_("/sys/fs/bpf/kube-cni-test-" + name),
      subnets_(std::move(subnets)),
      dataplane_(std::move(dataplane)) {
  std::filesystem::create_directories(folder_);
  // A second after it came up, a bridge announces 224.0.0.106 to all ports. This would count as
  // kernel path to each pod, at any time of a test.
  set_sysctl("net/ipv4/igmp_link_local_mcast_reports", "0");
}

Node::~Node() {
  std::error_code ignored;
  std::filesystem::remove_all(bpffs_, ignored);
  std::filesystem::remove_all(folder_, ignored);
}

json Node::conf(const json& changes) const {
  json conf{{"cniVersion", "1.1.0"},      {"name", "pods"},          {"type", "kube-cni"},
            {"network", "10.200.0.0/16"}, {"dataplane", dataplane_}, {"stateDir", state_dir()},
            {"runDir", run_dir()},        {"bpffs", bpffs_},         {"maxFlows", kMaxFlows}};
  if (mode_ != "bridge") conf["mode"] = mode_;
  if (subnets_.size() == 1) conf["subnet"] = subnets_.front();
  if (subnets_.size() == 1 && subnets_.front().find(':') != std::string::npos)
    conf["network"] = "fd00:10::/32";
  if (subnets_.size() > 1)
    for (const auto& subnet : subnets_)
      conf["ipam"]["ranges"].push_back(json::array({{{"subnet", subnet}}}));
  if (changes.is_object()) conf.merge_patch(changes);
  return conf;
}

Process Node::start(const CniCall& call) const {
  std::vector<std::string> argv = call.wrapper;
  argv.emplace_back(program(programs_ + "kube-cni"));
  return Process({.argv = argv,
                  .env = call.env,
                  .input = call.input,
                  .netns_fd = netns.fd(),
                  .before_exec = call.before_exec});
}

CniAnswer Node::call(const CniCall& call) const {
  auto outcome = start(call).wait(std::chrono::seconds(30));
  CniAnswer answer{outcome.status, outcome.out, outcome.err, json()};
  if (!answer.out.empty()) answer.json = json::parse(answer.out, nullptr, false);
  return answer;
}

CniCall Node::call_for(const std::string& verb, const Pod& pod, const json& changes) const {
  return {.env = {"CNI_COMMAND=" + verb, "CNI_CONTAINERID=" + pod.container_id,
                  "CNI_NETNS=" + pod.netns.path(), "CNI_IFNAME=" + pod.ifname,
                  "CNI_ARGS=", std::string("CNI_PATH=/opt/cni/bin:") + kReferencePlugins},
          .input = conf(changes).dump()};
}

Pod Node::add_pod(const std::string& name, const json& changes) const {
  Pod pod(name);
  const auto answer = cni("ADD", pod, changes);
  if (answer.status != 0) throw std::runtime_error("ADD " + name + ": " + answer.msg());
  for (const json& ip : answer.json["ips"])
    pod.addresses.push_back(IpNet::parse(ip["address"].get<std::string>()).value().addr);
  pod.address = pod.addresses.at(0);
  return pod;
}

void Node::set_sysctl(const std::string& setting, const std::string& value) const {
  netns.enter([&] { must(ensure_sysctl(setting, value)); });
}

std::string Node::must_run_in(const NetNs& netns, std::vector<std::string> argv) {
  return test::must_run({.argv = std::move(argv), .netns_fd = netns.fd()});
}

std::string Node::must_run(std::vector<std::string> argv) const {
  return must_run_in(netns, std::move(argv));
}

Attachment Node::attachment(const Pod& pod) const {
  auto found = must(AttachmentStore(state_dir()).find("pods", pod.container_id, pod.ifname));
  if (!found) throw std::runtime_error("no attachment record of " + pod.container_id);
  return *found;
}

EndpointKey Node::endpoint_key(const Pod& pod) const {
  EndpointKey key{.address = pod.address};
  const std::string bridge = attachment(pod).port.bridge;
  netns.enter([&] { key.network = ::if_nametoindex(bridge.c_str()); });
  return key;
}

ExitCounts Node::counters() const { return must(read_exit_counts(bpffs_)); }

Process Node::start_daemon(const std::vector<std::string>& options,
                           const std::vector<std::string>& wrapper) const {
  std::vector<std::string> argv = wrapper;
  argv.insert(argv.end(), {program(programs_ + "kube-cnid"), "--node-name", name(), "--dataplane",
                           dataplane_, "--state-dir", state_dir(), "--run-dir", run_dir(),
                           "--bpffs", bpffs_, "--max-flows", std::to_string(kMaxFlows)});
  if (mode_ != "bridge") argv.insert(argv.end(), {"--mode", mode_});
  argv.insert(argv.end(), options.begin(), options.end());
  return Process({.argv = argv, .netns_fd = netns.fd()});
}

IpAddr Node::gateway(int family) const {
  for (const auto& subnet : subnets_) {
    const IpAddr network = IpNet::parse(subnet).value().addr;
    if (family == 0 || network.family() == family) return network.plus(1);
  }
  throw std::runtime_error(name() + " has no subnet of family " + std::to_string(family));
}

std::uint64_t grown(const ExitCounts& before, const ExitCounts& after, kubecni_exit_reason reason) {
  return after[reason].packets - before[reason].packets;
}

std::string growth(const ExitCounts& before, const ExitCounts& after) {
  std::string text;
  for (std::size_t reason = 0; reason < after.size(); ++reason) {
    const auto packets = after[reason].packets - before[reason].packets;
    if (packets != 0)
      text += std::string(kExitReasons[reason].name) + "+" + std::to_string(packets) + " ";
  }
  return text;
}

}  // namespace kubecni::test
