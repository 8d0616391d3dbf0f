#include "ask_policy.hpp"

#include "k8s/protocol.hpp"
#include "live_policy_table.hpp"
#include "net/address.hpp"
#include "policy/reach.hpp"
#include "read_objects.hpp"
#include "state/attachment.hpp"
#include "state/daemon_status.hpp"
#include "state/policy_status.hpp"

#include <cerrno>
#include <optional>
#include <utility>

namespace kubecni {

using nlohmann::json;

namespace {

constexpr const char* kElsewhereNote =
    "an end is on another node: the answer for it is of the objects alone, and only kube-cnictl "
    "there can say what the table there does";
constexpr const char* kNotHereNote =
    "no end is a pod of this node: ask on the node of one, since only that node's table can say";
constexpr const char* kDifferNote =
    "the objects and this node's table differ: kube-cnid is about to change the table, does not "
    "run, or reads other objects";

Result<PolicyOrigin> origin_of(const NodePaths& paths, const PolicyQuestion& question) {
  if (!question.policy_file.empty() || !question.kubeconfig.empty())
    return PolicyOrigin{.policy_file = question.policy_file, .kubeconfig = question.kubeconfig};
  auto status = read_policy_status(paths.run_dir);
  if (!status) return fail(status);
  if (!*status)
    return failure(ENOENT,
                   "kube-cnid has not said where the policies come from; is it running with the "
                   "same --run-dir? Else give --policy-file or --kubeconfig");
  if ((*status)->mode == "off")
    return failure(ENOTSUP, "kube-cnid does not enforce network policies on this node");
  return (*status)->origin;
}

Result<std::vector<LocalPod>> pods_here(const NodePaths& paths) {
  auto listing = AttachmentStore(paths.state_dir).list();
  if (!listing) return fail(listing);
  std::vector<LocalPod> locals;
  locals.reserve(listing->attachments.size());
  for (const Attachment& attachment : listing->attachments)
    locals.push_back({attachment.pod, attachment.port.plain_addresses(), attachment.pod_uid});
  return locals;
}

Result<std::vector<IpAddr>> node_addresses() {
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  auto listed = list_addresses(*netlink);
  if (!listed) return fail(listed);
  std::vector<IpAddr> addresses;
  addresses.reserve(listed->size());
  for (const LinkAddress& one : *listed) addresses.push_back(one.net.addr);
  return addresses;
}

Result<ReachView> view_of(const NodePaths& paths, const PolicyOrigin& origin) {
  ReachView view;
  auto objects = read_policy_objects(origin);
  if (!objects) return fail(objects);
  view.objects = std::move(*objects);
  auto locals = pods_here(paths);
  if (!locals) return fail(locals);
  view.locals = std::move(*locals);
  auto addresses = node_addresses();
  if (!addresses) return fail(addresses);
  view.node_addresses = std::move(*addresses);
  auto status = read_daemon_status(paths.run_dir);
  if (!status) return fail(status);
  if (*status)
    for (const std::string& text : (*status)->pod_cidrs)
      if (const auto cidr = IpNet::parse(text)) view.own_pods.push_back(*cidr);
  return view;
}

const char* word(bool is_allowed) { return is_allowed ? "allowed" : "denied"; }

json to_json(const EndVerdict& verdict) {
  return {{"verdict", word(verdict.is_allowed)}, {"by", verdict.why}};
}

/// Why an answer is none; the strongest reason wins.
struct Doubts {
  bool differs = false;
  std::string not_read;
};

json ask_table(const Reach& reach, const PolicyFlow& flow, const LiveTable& table, Doubts& doubts) {
  if (!reach.is_judged_here()) return {{"verdict", "not asked"}, {"by", json::array()}};
  auto live = table.judge(flow);
  if (!live) {
    doubts.not_read = live.error().what;
    return {{"verdict", "unknown"}, {"by", {live.error().what}}};
  }
  if (live->is_allowed != reach.is_allowed_here(flow)) doubts.differs = true;
  if (live->by.empty()) live->by = {table.exists() ? "no chain is for it" : "there is no table"};
  return {{"verdict", word(live->is_allowed)}, {"by", live->by}};
}

json notes_on(const FlowEnd& from, const FlowEnd& to, const Reach& reach, const Doubts& doubts) {
  json notes = json::array();
  const bool is_any_here = from.place == FlowEnd::Place::kHere || to.place == FlowEnd::Place::kHere;
  const bool is_elsewhere =
      from.place == FlowEnd::Place::kElsewhere || to.place == FlowEnd::Place::kElsewhere;
  if (!is_any_here)
    notes.push_back(kNotHereNote);
  else if (is_elsewhere)
    notes.push_back(kElsewhereNote);
  if (is_any_here && !reach.is_judged_here())
    notes.push_back("the table judges nothing between a pod and its own node");
  if (doubts.differs) notes.push_back(kDifferNote);
  if (!doubts.not_read.empty()) notes.push_back(doubts.not_read);
  return notes;
}

}  // namespace

Result<json> ask_policy(const NodePaths& paths, const PolicyQuestion& question) {
  auto origin = origin_of(paths, question);
  if (!origin) return fail(origin);
  auto view = view_of(paths, *origin);
  if (!view) return fail(view);
  auto from = find_end(*view, question.from);
  if (!from) return fail(from);
  auto to = find_end(*view, question.to);
  if (!to) return fail(to);
  auto port = find_port(*view, question.port, *to);
  if (!port) return fail(port);
  auto table = read_live_table(Nftables::Elements::kAll);
  if (!table) return fail(table);

  const auto flows = flows_between(*from, *to, *port);
  if (flows.empty())
    return failure(ENOENT,
                   from->name() + " and " + to->name() + " have no addresses of the same family");
  const Reach reach(*view, *from, *to);
  Doubts doubts;
  bool is_allowed = true;
  json answers = json::array();
  for (const PolicyFlow& flow : flows) {
    const EndVerdict egress = reach.egress(flow);
    const EndVerdict ingress = reach.ingress(flow);
    is_allowed = is_allowed && egress.is_allowed && ingress.is_allowed;
    answers.push_back({{"from", flow.source.str()},
                       {"to", flow.destination.str()},
                       {"egress", to_json(egress)},
                       {"ingress", to_json(ingress)},
                       {"table", ask_table(reach, flow, *table, doubts)}});
  }
  const bool is_any_here =
      from->place == FlowEnd::Place::kHere || to->place == FlowEnd::Place::kHere;
  const bool is_known = is_any_here && !doubts.differs && doubts.not_read.empty();
  return json{{"from", from->name()},
              {"to", to->name()},
              {"port", port->number},
              {"protocol", protocol_name(port->protocol)},
              {"verdict", is_known ? word(is_allowed) : "unknown"},
              {"flows", answers},
              {"notes", notes_on(*from, *to, reach, doubts)}};
}

}  // namespace kubecni
