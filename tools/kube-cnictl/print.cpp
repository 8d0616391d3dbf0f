#include "print.hpp"

#include "text_table.hpp"

#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

namespace kubecni {

using nlohmann::json;

namespace {

/// The state of the runtime's list, if the daemon maintains it.
void print_cni(const json& cni) {
  if (cni["list"] == "") return;
  std::cout << "list:       " << cni["list"].get<std::string>()
            << (cni["hasList"] ? "" : " is NOT there") << "\n";
  if (!cni["plugins"].empty())
    std::cout << "            CNI " << cni["cniVersion"].get<std::string>() << ": "
              << joined(cni["plugins"]) << "\n";
  if (cni["pending"] != "")
    std::cout << "            " << cni["pending"].get<std::string>() << "\n";
  for (const json& warning : cni["warnings"])
    std::cout << "            WARNING " << warning.get<std::string>() << "\n";
}

/// A daemon of an older version, or with another routing, says nothing of BGP.
void print_bgp(const json& daemon) {
  const json sessions = daemon.value("bgp", json::array());
  if (sessions.empty()) return;
  const auto established = std::count_if(sessions.begin(), sessions.end(), [](const json& one) {
    return one["state"] == "Established";
  });
  std::cout << "BGP:        " << established << " of " << sessions.size()
            << " sessions established\n";
}

/// What the nodes' test of each other found; a daemon of an older version says nothing of it.
void print_probes(const json& daemon) {
  const json probes = daemon.value("probes", json::object());
  const auto count = [&](const char* state) { return probes.value(state, 0U); };
  if (count("answering") + count("silent") + count("unknown") == 0) return;
  std::cout << "pods there: " << count("answering") << " PodCIDRs answer, " << count("silent")
            << " do not, " << count("unknown") << " never did\n";
  for (const json& peer : probes.value("peers", json::array()))
    std::cout << "            " << (peer["state"] == "silent" ? "ERROR " : "")
              << peer["name"].get<std::string>() << ", since " << peer["since"].get<std::string>()
              << ": " << peer["text"].get<std::string>() << "\n";
}

void print_daemon(const json& daemon) {
  if (daemon.is_null()) {
    std::cout << "daemon:     has not reported; is kube-cnid running with the same --run-dir?\n";
    return;
  }
  std::cout << "daemon:     " << (daemon["running"] ? "running, pid " : "NOT running, last pid ")
            << daemon["pid"] << ", node " << daemon["nodeName"].get<std::string>() << "\n"
            << "nodes from: " << daemon["source"].get<std::string>() << "\n";
  if (!daemon["sourceError"].get<std::string>().empty())
    std::cout << "            ERROR " << daemon["sourceError"].get<std::string>() << "\n";
  std::cout << "PodCIDRs:   "
            << (daemon["podCIDRs"].empty() ? "not known" : joined(daemon["podCIDRs"])) << "\n"
            << "wires:      " << (daemon["wires"].empty() ? "none" : joined(daemon["wires"]))
            << "\n"
            << "offload:    tunnel checksums "
            << (daemon["tunnelChecksumOffload"] == ""
                    ? "without a tunnel"
                    : daemon["tunnelChecksumOffload"].get<std::string>())
            << "\n"
            << "metrics:    " << daemon["metrics"].get<std::string>() << "\n"
            << "health:     " << daemon["health"].get<std::string>() << "\n"
            << "nodes:      " << daemon["nodes"].size() << " reached, " << daemon["skipped"].size()
            << " skipped\n";
  print_bgp(daemon);
  print_probes(daemon);
  for (const json& error : daemon["errors"])
    std::cout << "            ERROR " << error.get<std::string>() << "\n";
  for (const json& pool : daemon["fullPools"])
    std::cout << "            FULL " << pool.get<std::string>() << "\n";
  print_cni(daemon["cni"]);
}

/// Sessions with others than nodes.
void print_bgp_peers(const json& sessions) {
  for (const json& session : sessions)
    if (session["name"] == "")
      std::cout << "BGP peer " << cell(session["address"]) << " (AS " << session["as"]
                << "): " << session["state"].get<std::string>() << "\n";
}

void print_skipped(const json& skipped) {
  for (const json& node : skipped)
    std::cout << "skipped " << cell(node["name"]) << ": " << node["reason"].get<std::string>()
              << "\n";
}

void print_warnings(const json& warnings) {
  for (const json& warning : warnings)
    std::cout << "warning " << cell(warning["name"]) << ": " << warning["text"].get<std::string>()
              << "\n";
}

/// "to_pod 2, from_pod 2, ...": to how many devices each is attached.
void print_programs(const json& programs, const std::string& error) {
  std::string text;
  for (const json& program : programs)
    text += (text.empty() ? "" : ", ") + program["name"].get<std::string>() + " " +
            program["devices"].dump();
  std::cout << "programs:   " << (error.empty() ? text : "not known: " + error) << "\n";
}

void print_damaged(const json& damaged) {
  for (const json& text : damaged)
    std::cout << "damaged: " << text.get<std::string>()
              << "; DEL the container, or remove the file\n";
}

}  // namespace

void print_status(const json& status) {
  const json& dataplane = status["dataplane"];
  if (dataplane["loaded"])
    std::cout << "dataplane:  eBPF, schema " << dataplane["schema"] << "\n";
  else
    std::cout << "dataplane:  kernel path only: " << dataplane["reason"].get<std::string>() << "\n";
  if (!dataplane["otherSchemas"].empty())
    std::cout << "            maps of another schema: " << joined(dataplane["otherSchemas"])
              << "; the kube-cnictl of that build shows them\n";
  const json& daemon = status["daemon"];
  if (!daemon.is_null() && daemon["noConntrackReason"] != "")
    std::cout << "            conntrack cannot be asked, flows that began on the kernel path stay "
                 "there: "
              << daemon["noConntrackReason"].get<std::string>() << "\n";
  print_programs(status["programs"], status.value("programsError", ""));
  print_daemon(daemon);
  std::cout << "pods:       " << status["podsOnEbpf"] << " on eBPF, "
            << status["podsOnKernelPath"].size() << " on the kernel path\n";
  for (const json& pod : status["podsOnKernelPath"])
    std::cout << "            " << joined(pod["addresses"]) << " " << pod["pod"].get<std::string>()
              << ": " << (pod["reason"] == "" ? "as configured" : pod["reason"].get<std::string>())
              << "\n";
  if (!daemon.is_null()) {
    print_skipped(daemon["skipped"]);
    print_warnings(daemon["warnings"]);
  }
  print_damaged(status["damaged"]);
}

void print_endpoints(const json& endpoints) {
  std::vector<Row> rows;
  for (const json& e : endpoints["endpoints"]) {
    const std::string note = e["problems"].empty() ? e["reason"].get<std::string>()
                                                   : "PROBLEM: " + joined(e["problems"]);
    rows.push_back({joined(e["addresses"]), cell(e["path"]),
                    e["mode"] == "ptp" ? "(ptp)" : cell(e["bridge"]), cell(e["hostInterface"]),
                    cell(e["mac"]), cell(e["pod"]), e["container"].get<std::string>().substr(0, 13),
                    note});
  }
  print_table({"ADDRESS", "PATH", "BRIDGE", "HOST INTERFACE", "MAC", "POD", "CONTAINER", "NOTE"},
              rows);
  print_damaged(endpoints["damaged"]);
}

void print_nodes(const json& nodes) {
  std::vector<Row> rows;
  for (const json& n : nodes["nodes"])
    rows.push_back(
        {cell(n["node"]), cell(n["podCIDR"]), cell(n["kind"]), cell(n["nextHop"]),
         cell(n["device"]), cell(n["mtu"]), cell(n["inMap"]), cell(n["inRoutes"]),
         n["problem"] == "" ? cell(n["why"]) : "PROBLEM: " + n["problem"].get<std::string>()});
  Row head{"NODE", "PODCIDR", "KIND", "NEXT HOP", "DEVICE", "MTU", "MAP", "ROUTE", "WHY"};
  if (!nodes["bgp"].empty()) {
    head.insert(head.end() - 1, "SESSION");
    for (std::size_t i = 0; i < rows.size(); ++i)
      rows[i].insert(rows[i].end() - 1, cell(nodes["nodes"][i]["session"]));
  }
  print_table(head, rows);
  print_bgp_peers(nodes["bgp"]);
  print_skipped(nodes["skipped"]);
  print_warnings(nodes["warnings"]);
}

void print_counters(const json& counters, bool all) {
  std::vector<Row> rows;
  for (const json& c : counters) {
    if (all || c["packets"] != 0)
      rows.push_back({c["reason"], c["packets"].dump(), c["bytes"].dump(), c["text"]});
  }
  print_table({"REASON", "PACKETS", "BYTES", "MEANING"}, rows);
}

}  // namespace kubecni
