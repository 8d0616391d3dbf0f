#include "process.hpp"
#include "snapshot.hpp"

#include <algorithm>
#include <cerrno>

namespace kubecni::cnicheck {

using nlohmann::json;

namespace {

Result<json> ask(int netns_fd, const char* program, std::vector<std::string> args) {
  args.insert(args.begin(), "-j");
  auto end = run_process({.program = program, .args = std::move(args), .netns_fd = netns_fd});
  if (!end) return fail(end);
  if (!end->succeeded()) return failure(EIO, std::string(program) + ": " + end->describe());
  if (end->out.find_first_not_of(" \n") == std::string::npos) return json::array();
  json answer = json::parse(end->out, nullptr, false);
  if (!answer.is_array()) return failure(EPROTO, std::string(program) + " printed no JSON list");
  return answer;
}

std::string text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return "";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

std::string kind_of(const json& link) {
  return text_at(link.value("linkinfo", json::object()), "info_kind");
}

bool has_flag(const json& object, const char* flag) {
  const json flags = object.value("flags", json::array());
  return std::ranges::find(flags, json(flag)) != flags.end();
}

/// `words` and those of `keys` that `object` has: "route 10.0.0.0/24 dev=eth0".
std::string phrase(std::string words, const json& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys)
    if (const std::string value = text_at(object, key); !value.empty())
      words.append(" ").append(key).append("=").append(value);
  return words;
}

bool is_derived(const std::string& address) {
  return address.starts_with("fe80:") || address.starts_with("ff00:") ||
         address.starts_with("33:33:") || address.starts_with("01:");
}

/// A bridge's MAC may be a port's, so it changes with the pods.
void add_link(const json& link, std::set<Fact>& facts) {
  const std::string name = text_at(link, "ifname");
  const std::string kind = kind_of(link);
  std::string text = phrase("link " + name, link, {"mtu", "master"});
  if (!kind.empty()) text += " kind=" + kind;
  if (kind != "bridge") text += phrase("", link, {"address"});
  facts.insert({name, text + (has_flag(link, "UP") ? " up" : " down")});
  for (const auto& address : link.value("addr_info", json::array())) {
    if (!is_derived(text_at(address, "local")))
      facts.insert({name, phrase("address dev=" + name, address, {"local", "prefixlen"})});
  }
}

void add_route(const json& route, std::set<Fact>& facts) {
  const std::string dst = text_at(route, "dst");
  if (text_at(route, "table") == "local" || is_derived(dst)) return;
  facts.insert({text_at(route, "dev"), phrase("route " + dst, route,
                                              {"type", "gateway", "dev", "table", "metric",
                                               "protocol", "scope", "prefsrc", "nexthops"})});
}

void add_fdb_entry(const json& entry, std::set<Fact>& facts) {
  const std::string mac = text_at(entry, "mac");
  if (text_at(entry, "state") != "permanent" || is_derived(mac)) return;
  facts.insert(
      {text_at(entry, "ifname"), phrase("fdb " + mac, entry, {"ifname", "master", "vlan"})});
}

}  // namespace

Result<KernelSnapshot> KernelSnapshot::take(int netns_fd) {
  KernelSnapshot taken;
  auto links = ask(netns_fd, "ip", {"-d", "address", "show"});
  if (!links) return fail(links, "snapshot");
  taken.links_ = std::move(*links);
  for (const auto& link : taken.links_) {
    add_link(link, taken.facts_);
    if (kind_of(link) == "bridge") taken.bridges_.insert(text_at(link, "ifname"));
  }
  taken.routes_ = json::array();
  for (const char* family : {"-4", "-6"}) {
    auto routes = ask(netns_fd, "ip", {family, "route", "show", "table", "all"});
    if (!routes) return fail(routes, "snapshot");
    for (const auto& route : *routes) {
      add_route(route, taken.facts_);
      taken.routes_.push_back(route);
    }
    auto rules = ask(netns_fd, "ip", {family, "rule", "show"});
    if (!rules) return fail(rules, "snapshot");
    for (const auto& rule : *rules) taken.facts_.insert({"", "rule " + rule.dump()});
  }
  auto neighbours = ask(netns_fd, "ip", {"neigh", "show", "nud", "permanent"});
  if (!neighbours) return fail(neighbours, "snapshot");
  for (const auto& one : *neighbours)
    taken.facts_.insert({text_at(one, "dev"), phrase("neighbour", one, {"dst", "lladdr", "dev"})});
  auto fdb = ask(netns_fd, "bridge", {"fdb", "show"});
  if (!fdb) return fail(fdb, "snapshot");
  for (const auto& entry : *fdb)
    if (!taken.bridges_.contains(text_at(entry, "ifname"))) add_fdb_entry(entry, taken.facts_);
  auto qdiscs = ask(netns_fd, "tc", {"qdisc", "show"});
  if (!qdiscs) return fail(qdiscs, "snapshot");
  for (const auto& qdisc : *qdiscs)
    taken.facts_.insert({text_at(qdisc, "dev"), phrase("qdisc", qdisc, {"kind", "dev", "parent"})});
  return taken;
}

std::vector<std::string> KernelSnapshot::differences(const KernelSnapshot& other) const {
  std::vector<std::string> found;
  for (const auto& fact : other.facts_) {
    const bool on_new_bridge =
        other.bridges_.contains(fact.device) && !bridges_.contains(fact.device);
    if (!facts_.contains(fact) && !on_new_bridge) found.push_back("+ " + fact.text);
  }
  for (const auto& fact : facts_)
    if (!other.facts_.contains(fact)) found.push_back("- " + fact.text);
  return found;
}

json KernelSnapshot::link(const std::string& name) const {
  for (const auto& link : links_)
    if (text_at(link, "ifname") == name) return link;
  return nullptr;
}

}  // namespace kubecni::cnicheck
