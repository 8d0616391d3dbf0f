#pragma once

#include "base/result.hpp"
#include "k8s/policy_objects.hpp"
#include "policy/compiler.hpp"
#include "policy/judge.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// What a node knows when somebody asks whether one end may reach another.
struct ReachView {
  PolicyObjects objects;
  std::vector<LocalPod> locals;
  std::vector<IpNet> own_pods = {};         ///< this node's PodCIDRs
  std::vector<IpAddr> node_addresses = {};  ///< of this node
};

/// One end of the question.
struct FlowEnd {
  enum class Place {
    kHere,       ///< a pod of this node, known or not
    kElsewhere,  ///< a pod of another node
    kNode,       ///< this node itself
    kOutside,    ///< no pod of the pod network, such as another node, or a host outside
  };

  std::string pod = {};  ///< "NAMESPACE/NAME"; empty: not known, or none
  std::vector<IpAddr> addresses = {};
  Place place = Place::kOutside;

  [[nodiscard]] std::string name() const { return pod.empty() ? addresses.at(0).str() : pod; }
};

struct FlowPort {
  std::uint8_t protocol = 0;
  std::uint16_t number = 0;  ///< host order

  bool operator==(const FlowPort&) const = default;
};

/// Finds the pod "NAMESPACE/NAME", or whose address it is. Pure.
/// Errors: EINVAL neither of the two; ENOENT no such pod, or one that has no address.
Result<FlowEnd> find_end(const ReachView& view, const std::string& text);

/// Reads "PORT[/PROTOCOL]": a number, or the name of a port of the pod `to`; tcp, if it is not
/// said. Pure. Errors: EINVAL malformed; ENOENT `to` has no such port.
Result<FlowPort> find_port(const ReachView& view, const std::string& text, const FlowEnd& to);

/// A flow for each address family that both ends have. Pure.
std::vector<PolicyFlow> flows_between(const FlowEnd& from, const FlowEnd& to, const FlowPort& port);

/// What the policies say at one end, and the rule or the reason, as a phrase.
struct EndVerdict {
  bool is_allowed = true;
  std::string why;
};

/// Answers from the objects, whatever the table of this node has. Pure.
class Reach {
 public:
  Reach(const ReachView& view, FlowEnd from, FlowEnd to);

  [[nodiscard]] EndVerdict egress(const PolicyFlow& flow) const;
  [[nodiscard]] EndVerdict ingress(const PolicyFlow& flow) const;

  /// Whether this node's table judges the flow, and at which ends.
  [[nodiscard]] bool is_judged_here() const;
  /// What that table has to say to it.
  [[nodiscard]] bool is_allowed_here(const PolicyFlow& flow) const;

 private:
  using Judge = PolicyVerdict (*)(const CompiledPolicy&, const PolicyFlow&);
  [[nodiscard]] EndVerdict verdict(const PolicyFlow& flow, const FlowEnd& end,
                                   const IpAddr& address, Judge judge) const;
  [[nodiscard]] bool is_pod_and_node() const;

  FlowEnd from_;
  FlowEnd to_;
  bool has_policies_;
  CompiledPolicy compiled_;
};

}  // namespace kubecni
