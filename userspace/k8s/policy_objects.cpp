#include "k8s/policy_objects.hpp"

#include "base/json.hpp"
#include "k8s/object_fields.hpp"

#include <cerrno>
#include <set>
#include <string>
#include <utility>

namespace kubecni {

namespace {

using nlohmann::json;

/// The items of a PodList do not repeat their kind. "List": they do.
std::string kind_in(const json& list) {
  std::string kind = text_of(member(list, "kind"));
  if (!kind.ends_with("List")) return "";
  kind.resize(kind.size() - 4);
  return kind;
}

}  // namespace

Result<PolicyObjects> parse_policy_objects(std::string_view text) {
  const auto list = parse_json(text);
  if (!list) return std::unexpected(list.error());
  const json& items = member(*list, "items");
  if (!text_of(member(*list, "kind")).ends_with("List") || !items.is_array())
    return failure(EINVAL, "not a list of objects: kind is " + shown(member(*list, "kind")) +
                               " and items is " + shown(items) +
                               "; `kubectl get networkpolicies,pods,namespaces -A -o json` prints "
                               "one");
  const std::string usual_kind = kind_in(*list);
  PolicyObjects objects;
  std::set<std::string> names;
  for (const json& item : items) {
    const json& own_kind = member(item, "kind");
    const std::string kind = own_kind.is_null() ? usual_kind : text_of(own_kind);
    const std::string full_name =
        kind + " " + metadata_text(item, "namespace") + "/" + metadata_text(item, "name");
    const std::string version = text_of(member(item, "apiVersion"));
    // Other groups have a kind of that name, too.
    const bool is_policy =
        kind == "NetworkPolicy" && (version.empty() || version.starts_with("networking.k8s.io/"));
    if (!is_policy && kind != "Pod" && kind != "Namespace") continue;
    if (metadata_text(item, "name").empty())
      return failure(EINVAL, "an object of kind " + kind + " has no name");
    if (!names.insert(full_name).second) return failure(EINVAL, "two objects are " + full_name);
    if (is_policy)
      objects.policies.push_back(parse_network_policy(item));
    else if (kind == "Pod")
      objects.pods.push_back(parse_pod(item));
    else
      objects.spaces.push_back(parse_namespace(item));
  }
  return objects;
}

}  // namespace kubecni
