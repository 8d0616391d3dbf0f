#include "test_api_server/api_server_state.hpp"

#include <cerrno>
#include <utility>

namespace kubecni::test {

using nlohmann::json;

namespace {

constexpr std::size_t kThreads = 64;  // a watch occupies one

}  // namespace

void ApiServer::State::route() {
  using httplib::Request;
  using httplib::Response;
  for (const char* path : {kNodes, "/api/v1/pods", "/api/v1/namespaces", "/apis/.+"})
    http->Get(path, [this](const Request& request, Response& response) {
      const std::lock_guard lock(mutex);
      answer_collection(request, response);
    });
  http->Get("/api/v1/nodes/([^/]+)", [this](const Request& request, Response& response) {
    const std::lock_guard lock(mutex);
    if (admit("get nodes", request, response)) get_node(request.matches[1].str(), response);
  });
  http->Patch("/api/v1/nodes/([^/]+)(/status)?",
              [this](const Request& request, Response& response) {
                const std::lock_guard lock(mutex);
                const bool is_status = request.matches[2].matched;
                if (admit(is_status ? "patch nodes/status" : "patch nodes", request, response))
                  patch_node(request, response);
              });
  http->Post("/api/v1/namespaces/default/events",
             [this](const Request& request, Response& response) {
               const std::lock_guard lock(mutex);
               if (admit("create events", request, response)) post_event(request, response);
             });
}

ApiServer::ApiServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<ApiServer>> ApiServer::start(const Options& options) {
  auto state = std::make_unique<State>();
  State& s = *state;
  const bool is_tls = !options.cert_file.empty();
  const char* client_ca = options.client_ca_file.empty() ? nullptr : options.client_ca_file.c_str();
  if (is_tls)
    s.http = std::make_unique<httplib::SSLServer>(options.cert_file.c_str(),
                                                  options.key_file.c_str(), client_ca);
  else
    s.http = std::make_unique<httplib::Server>();
  if (!s.http->is_valid()) return failure(EINVAL, "certificate or key unusable");

  s.http->new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  s.http->set_keep_alive_max_count(1);  // a kept connection would delay the destructor
  s.http->set_tcp_nodelay(true);
  s.route();
  s.scheme = is_tls ? "https://" : "http://";
  s.address = options.address;
  if (options.port == 0)
    s.port = s.http->bind_to_any_port(options.address);
  else if (s.http->bind_to_port(options.address, options.port))
    s.port = options.port;
  if (s.port <= 0) return failure(EADDRINUSE, "cannot listen on " + options.address);

  // Every API server has these kinds.
  s.collections["/api/v1/pods"] = {"PodList", "pods"};
  s.collections["/api/v1/namespaces"] = {"NamespaceList", "namespaces"};
  s.collections["/apis/networking.k8s.io/v1/networkpolicies"] = {
      "NetworkPolicyList", "networkpolicies.networking.k8s.io"};

  s.listener = std::thread([&s] { s.http->listen_after_bind(); });
  while (!s.http->is_running()) std::this_thread::yield();  // stop() before that is ignored
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(state)));
}

ApiServer::~ApiServer() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notify_all();
  }
  state_->http->stop();
  state_->listener.join();
}

std::string ApiServer::url() const {
  return state_->scheme + state_->address + ":" + std::to_string(state_->port);
}

int ApiServer::port() const { return state_->port; }

void ApiServer::set_node(json node) {
  const std::lock_guard lock(state_->mutex);
  state_->store(std::move(node));
}

json ApiServer::node(const std::string& name) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->nodes.find(name);
  return found == state_->nodes.end() ? json() : found->second;
}

void ApiServer::fail_events(int requests) {
  const std::lock_guard lock(state_->mutex);
  state_->event_failures_left = requests;
}

std::vector<json> ApiServer::events() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<json> events;
  for (const auto& [name, event] : state_->events) events.push_back(event);
  return events;
}

void ApiServer::set_endpoints(const std::vector<std::string>& addresses, int port) {
  const std::lock_guard lock(state_->mutex);
  state_->store({{"kind", "EndpointSlice"},
                 {"metadata", {{"name", "kubernetes"}, {"namespace", "default"}}},
                 {"addressType", "IPv4"},
                 {"endpoints", {{{"addresses", addresses}}}},
                 {"ports", {{{"name", "https"}, {"port", port}}}}},
                State::kSlices);
}

void ApiServer::add_kind(const std::string& path, const std::string& list_kind,
                         const std::string& resource) {
  const std::lock_guard lock(state_->mutex);
  state_->collections[path] = {list_kind, resource};
}

void ApiServer::set_object(const std::string& path, json object) {
  const std::lock_guard lock(state_->mutex);
  state_->store(std::move(object), path);
}

void ApiServer::delete_object(const std::string& path, const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  auto object = state_->collections.at(path).objects.extract(name);
  if (object) state_->record("DELETED", object.mapped(), path);
}

void ApiServer::delete_node(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  auto node = state_->nodes.extract(name);
  if (node) state_->record("DELETED", node.mapped());
}

void ApiServer::send_bookmark() {
  const std::lock_guard lock(state_->mutex);
  json node{{"kind", "Node"}, {"apiVersion", "v1"}};
  state_->record("BOOKMARK", node);
}

void ApiServer::expire_history() {
  const std::lock_guard lock(state_->mutex);
  state_->history.clear();
  state_->oldest_version = ++state_->version;
  state_->changed.notify_all();
}

void ApiServer::replace_nodes(const std::vector<json>& nodes) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->nodes.clear();
    for (const json& node : nodes) {
      json& stored = state_->nodes[node.at("metadata").at("name")] = node;
      stored["metadata"]["resourceVersion"] = std::to_string(state_->version);
    }
  }
  expire_history();
}

void ApiServer::cut_connections(Cut where) {
  const std::lock_guard lock(state_->mutex);
  ++state_->cuts;
  state_->cut_where = where;
  state_->changed.notify_all();
}

void ApiServer::send_raw_line(const std::string& line) {
  const std::lock_guard lock(state_->mutex);
  state_->history.push_back(
      {.path = State::kNodes, .version = ++state_->version, .type = "", .object = line});
  state_->changed.notify_all();
}

void ApiServer::set_failure(int status, int requests, const std::string& body,
                            std::chrono::seconds retry_after) {
  const std::lock_guard lock(state_->mutex);
  state_->failure_status = status;
  state_->failures_left = requests;
  state_->failure_body = body;
  state_->retry_after_s = static_cast<int>(retry_after.count());
}

void ApiServer::break_off_lists(int requests) {
  const std::lock_guard lock(state_->mutex);
  state_->halves_left = requests;
}

void ApiServer::refuse(const std::string& part) {
  const std::lock_guard lock(state_->mutex);
  state_->refused.insert(part);
}

void ApiServer::forbid(const std::string& permission) {
  const std::lock_guard lock(state_->mutex);
  state_->forbidden.insert(permission);
}

void ApiServer::allow_all() {
  const std::lock_guard lock(state_->mutex);
  state_->forbidden.clear();
  state_->refused.clear();
}

void ApiServer::require_token(const std::string& token, std::function<void()> on_other) {
  const std::lock_guard lock(state_->mutex);
  state_->token = token;
  state_->on_other_token = std::move(on_other);
}

void ApiServer::set_ballast(const json& ballast) {
  const std::lock_guard lock(state_->mutex);
  state_->ballast = ballast.dump();
}

void ApiServer::split_answers(std::size_t bytes, std::chrono::milliseconds delay) {
  const std::lock_guard lock(state_->mutex);
  state_->split_bytes = bytes;
  state_->split_delay = delay;
}

void ApiServer::limit_pages(std::size_t nodes) {
  const std::lock_guard lock(state_->mutex);
  state_->page_limit = nodes;
}

ApiServer::Counters ApiServer::counters() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counters;
}

}  // namespace kubecni::test
