// The test's API server: single objects, and who may do what.

#include "test_api_server/api_server_state.hpp"

#include <algorithm>

namespace kubecni::test {

using nlohmann::json;

namespace {

/// Which lists a strategic merge patch merges, and by what (`patchMergeKey` of the
/// API's Go types); all others are replaced.
const char* merge_key(const std::string& list) {
  if (list == "conditions" || list == "addresses") return "type";
  return nullptr;
}

void strategic_merge(json& target, const json& patch);

void merge_list(json& target, const json& patch, const char* key) {
  if (!target.is_array()) target = json::array();
  for (const json& item : patch) {
    const auto same =
        std::ranges::find_if(target, [&](const json& old) { return old.at(key) == item.at(key); });
    if (same == target.end())
      target.push_back(item);
    else
      strategic_merge(*same, item);
  }
}

void strategic_merge(json& target, const json& patch) {
  for (const auto& [name, value] : patch.items()) {
    const char* key = merge_key(name);
    if (value.is_null())
      target.erase(name);
    else if (value.is_object())
      strategic_merge(target[name], value);
    else if (value.is_array() && key)
      merge_list(target[name], value, key);
    else
      target[name] = value;
  }
}

}  // namespace

void answer_status(int code, const std::string& reason, const std::string& message,
                   httplib::Response& response) {
  response.status = code;
  response.set_content(json{{"kind", "Status"},
                            {"apiVersion", "v1"},
                            {"status", "Failure"},
                            {"reason", reason},
                            {"code", code},
                            {"message", message}}
                           .dump(),
                       "application/json");
}

/// Whether the client has the permission; answers if not.
bool ApiServer::State::admit(const std::string& permission, const httplib::Request& request,
                             httplib::Response& response) {
  counters.requests.push_back(request.target);
  ++counters.asked[permission];
  counters.last_authorization = request.get_header_value("Authorization");
  counters.last_via = request.get_header_value("Via");
  if (!token.empty() && counters.last_authorization != "Bearer " + token) {
    if (on_other_token) on_other_token();
    answer_status(401, "Unauthorized", "Unauthorized", response);
    return false;
  }
  if (std::ranges::any_of(refused, [&](const std::string& part) {
        return request.target.find(part) != std::string::npos;
      })) {
    answer_status(503, "ServiceUnavailable", "refused for now", response);
    return false;
  }
  if (!forbidden.contains(permission)) return true;
  answer_status(403, "Forbidden", "cannot " + permission, response);
  return false;
}

void ApiServer::State::get_node(const std::string& name, httplib::Response& response) const {
  const auto node = nodes.find(name);
  if (node == nodes.end())
    answer_status(404, "NotFound", "nodes \"" + name + "\" not found", response);
  else
    response.set_content(node->second.dump(), "application/json");
}

/// For /nodes/NAME/status takes only `status`, for /nodes/NAME everything else. A resourceVersion
/// in the patch must be the current one.
void ApiServer::State::patch_node(const httplib::Request& request, httplib::Response& response) {
  const auto found = nodes.find(request.matches[1].str());
  if (found == nodes.end()) return get_node(request.matches[1].str(), response);
  if (request.get_header_value("Content-Type") != "application/strategic-merge-patch+json")
    return answer_status(415, "UnsupportedMediaType", "not a strategic merge patch", response);
  json patch = json::parse(request.body, nullptr, false);
  if (!patch.is_object()) return answer_status(400, "BadRequest", "no JSON object", response);

  json node = found->second;
  const json version_wanted = patch.value("/metadata/resourceVersion"_json_pointer, json());
  if (!version_wanted.is_null() && version_wanted != node["metadata"]["resourceVersion"])
    return answer_status(409, "Conflict", "the object has been modified", response);
  if (request.matches[2].matched)
    patch = {{"status", patch.value("status", json::object())}};
  else
    patch.erase("status");
  strategic_merge(node, patch);
  if (node != found->second) store(node);
  get_node(request.matches[1].str(), response);
}

void ApiServer::State::post_event(const httplib::Request& request, httplib::Response& response) {
  if (event_failures_left > 0) {
    --event_failures_left;
    return answer_status(500, "InternalError", "try again", response);
  }
  json event = json::parse(request.body, nullptr, false);
  const std::string name = event.value("/metadata/name"_json_pointer, "");
  if (name.empty() || !event.contains("involvedObject"))
    return answer_status(422, "Invalid", "an event needs a name and an object", response);
  if (!events.emplace(name, event).second)
    return answer_status(409, "AlreadyExists", "events \"" + name + "\" already exists", response);
  response.status = 201;
  response.set_content(event.dump(), "application/json");
}

}  // namespace kubecni::test
