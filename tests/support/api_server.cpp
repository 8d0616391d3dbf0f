#include "support/api_server.hpp"

#include <httplib.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace kubecni::test {

namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kThreads = 32;  // a watch occupies one
constexpr std::chrono::milliseconds kGoneCheck{200};

json gone_status() {
  return {{"kind", "Status"},    {"apiVersion", "v1"}, {"status", "Failure"},
          {"reason", "Expired"}, {"code", 410},        {"message", "too old resource version"}};
}

std::string event_line(const char* type, const json& object) {
  return json{{"type", type}, {"object", object}}.dump() + "\n";
}

std::uint64_t number_at(const httplib::Request& request, const char* key, std::uint64_t absent) {
  const std::string text = request.get_param_value(key);
  return text.empty() ? absent : std::stoull(text);
}

bool is_true(const std::string& text) { return text == "1" || text == "true"; }

}  // namespace

json make_node(const std::string& name, const std::string& internal_ip,
               const std::string& pod_cidr) {
  return make_node(name, std::vector{internal_ip}, std::vector{pod_cidr});
}

json make_node(const std::string& name, const std::vector<std::string>& internal_ips,
               const std::vector<std::string>& pod_cidrs) {
  json addresses = json::array();
  for (const auto& ip : internal_ips)
    addresses.push_back({{"type", "InternalIP"}, {"address", ip}});
  addresses.push_back({{"type", "Hostname"}, {"address", name}});
  return {
      {"kind", "Node"},
      {"apiVersion", "v1"},
      {"metadata", {{"name", name}}},
      {"spec", {{"podCIDR", pod_cidrs.at(0)}, {"podCIDRs", pod_cidrs}}},
      {"status", {{"addresses", addresses}}},
  };
}

json make_node_list(const std::vector<json>& nodes) {
  return {{"kind", "NodeList"},
          {"apiVersion", "v1"},
          {"metadata", {{"resourceVersion", "1"}}},
          {"items", nodes}};
}

struct ApiServer::State {
  struct Event {
    std::uint64_t version;
    bool is_bookmark;
    std::string line;
  };
  /// Where one watch stands.
  struct Watch {
    std::uint64_t version;
    bool wants_bookmarks;
    unsigned cuts_seen;
    Clock::time_point end;
  };

  std::unique_ptr<httplib::Server> http;
  std::string scheme;
  std::string address;
  int port = 0;
  std::thread listener;

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, json> nodes;
  std::vector<Event> history;
  std::uint64_t version = 100;
  std::uint64_t oldest_version = 100;  ///< a watch from before this gets 410
  unsigned cuts = 0;
  Cut cut_where = Cut::kBetweenEvents;
  bool stopping = false;
  int failure_status = 0;
  int failures_left = 0;
  std::string failure_body;
  std::size_t split_bytes = 0;
  std::chrono::milliseconds split_delay{};
  std::size_t page_limit = SIZE_MAX;
  Counters counters;

  void handle(const httplib::Request& request, httplib::Response& response);
  void list(const httplib::Request& request, httplib::Response& response) const;
  void watch(const httplib::Request& request, httplib::Response& response);
  bool write_next(Watch& watch, httplib::DataSink& sink);
  std::string lines_for(Watch& watch) const;
  bool write(const std::string& lines, std::unique_lock<std::mutex>& lock, httplib::DataSink& sink);
  void record(const char* type, json object);
};

void ApiServer::State::handle(const httplib::Request& request, httplib::Response& response) {
  const std::lock_guard lock(mutex);
  const bool is_watch = is_true(request.get_param_value("watch"));
  ++(is_watch ? counters.watches : counters.lists);
  counters.last_authorization = request.get_header_value("Authorization");
  counters.requests.push_back(request.target);
  if (is_watch) counters.last_watched_resource_version = request.get_param_value("resourceVersion");

  if (failures_left > 0) {
    --failures_left;
    response.status = failure_status;
    response.set_content(failure_body, "application/json");
  } else if (is_watch) {
    watch(request, response);
  } else {
    list(request, response);
  }
}

void ApiServer::State::list(const httplib::Request& request, httplib::Response& response) const {
  const std::size_t limit =
      std::min<std::size_t>(number_at(request, "limit", SIZE_MAX), page_limit);
  // The token has characters that only survive a client which escapes them.
  const std::string token = request.get_param_value("continue");
  auto node = token.empty() ? nodes.begin() : nodes.upper_bound(token.substr(token.find('&') + 1));

  json items = json::array();
  std::string last;
  for (; node != nodes.end() && items.size() < limit; ++node) {
    items.push_back(node->second);
    items.back().erase("kind");  // as the real one does
    items.back().erase("apiVersion");
    last = node->first;
  }
  json page = make_node_list({});
  page["items"] = std::move(items);
  page["metadata"]["resourceVersion"] = std::to_string(version);
  if (node != nodes.end()) page["metadata"]["continue"] = "after=+&" + last;
  response.set_content(page.dump(), "application/json");
}

void ApiServer::State::watch(const httplib::Request& request, httplib::Response& response) {
  const std::uint64_t from = number_at(request, "resourceVersion", version);
  if (from < oldest_version) {
    response.status = 410;
    response.set_content(gone_status().dump(), "application/json");
    return;
  }
  const auto end = Clock::now() + std::chrono::seconds(number_at(request, "timeoutSeconds", 3600));
  auto state = std::make_shared<Watch>(
      Watch{from, is_true(request.get_param_value("allowWatchBookmarks")), cuts, end});
  ++counters.live_watches;
  response.set_chunked_content_provider(
      "application/json",
      [this, state](std::size_t, httplib::DataSink& sink) { return write_next(*state, sink); },
      [this](bool) {
        const std::lock_guard lock(mutex);
        --counters.live_watches;
      });
}

/// Writes what `watch` has not seen, as soon as there is something. False ends
/// the connection without the last chunk.
bool ApiServer::State::write_next(Watch& watch, httplib::DataSink& sink) {
  std::unique_lock lock(mutex);
  const auto check = std::min(watch.end, Clock::now() + kGoneCheck);
  changed.wait_until(
      lock, check, [&] { return stopping || watch.cuts_seen != cuts || watch.version < version; });
  if (stopping) return false;
  if (watch.cuts_seen != cuts) {
    const std::string half = R"({"type":"ADDED","object":{"kind":"No)";
    if (cut_where == Cut::kInsideEvent) sink.write(half.data(), half.size());
    return false;
  }
  if (watch.version < oldest_version) {
    write(event_line("ERROR", gone_status()), lock, sink);
    sink.done();
    return true;
  }
  if (watch.version == version && Clock::now() >= watch.end) {
    sink.done();
    return true;
  }
  if (const std::string lines = lines_for(watch); !lines.empty()) return write(lines, lock, sink);
  return sink.is_writable();
}

std::string ApiServer::State::lines_for(Watch& watch) const {
  std::string lines;
  for (const Event& event : history)
    if (event.version > watch.version && (watch.wants_bookmarks || !event.is_bookmark))
      lines += event.line;
  watch.version = version;
  return lines;
}

bool ApiServer::State::write(const std::string& lines, std::unique_lock<std::mutex>& lock,
                             httplib::DataSink& sink) {
  const std::size_t piece = split_bytes > 0 ? split_bytes : lines.size();
  const auto delay = split_delay;
  lock.unlock();
  for (std::size_t at = 0; at < lines.size(); at += piece) {
    if (at > 0) std::this_thread::sleep_for(delay);
    if (!sink.write(lines.data() + at, std::min(piece, lines.size() - at))) return false;
  }
  return true;
}

/// Gives `object` the next resourceVersion and makes it an event. Needs the mutex.
void ApiServer::State::record(const char* type, json object) {
  object["metadata"]["resourceVersion"] = std::to_string(++version);
  history.push_back({version, std::string(type) == "BOOKMARK", event_line(type, object)});
  changed.notify_all();
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
  s.http->Get("/api/v1/nodes", [&s](const httplib::Request& request, httplib::Response& response) {
    s.handle(request, response);
  });
  s.scheme = is_tls ? "https://" : "http://";
  s.address = options.address;
  if (options.port == 0)
    s.port = s.http->bind_to_any_port(options.address);
  else if (s.http->bind_to_port(options.address, options.port))
    s.port = options.port;
  if (s.port <= 0) return failure(EADDRINUSE, "cannot listen on " + options.address);

  s.listener = std::thread([&s] { s.http->listen_after_bind(); });
  while (!s.http->is_running()) std::this_thread::yield();  // stop() before that is not heard
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
  const std::string name = node.at("metadata").at("name");
  const bool is_new = !state_->nodes.contains(name);
  state_->record(is_new ? "ADDED" : "MODIFIED", node);
  node["metadata"]["resourceVersion"] = std::to_string(state_->version);
  state_->nodes[name] = std::move(node);
}

void ApiServer::delete_node(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  auto node = state_->nodes.extract(name);
  if (node) state_->record("DELETED", std::move(node.mapped()));
}

void ApiServer::send_bookmark() {
  const std::lock_guard lock(state_->mutex);
  state_->record("BOOKMARK", {{"kind", "Node"}, {"apiVersion", "v1"}});
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
    for (const json& node : nodes) state_->nodes[node.at("metadata").at("name")] = node;
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
  state_->history.push_back({++state_->version, false, line + "\n"});
  state_->changed.notify_all();
}

void ApiServer::set_failure(int status, int requests, const std::string& body) {
  const std::lock_guard lock(state_->mutex);
  state_->failure_status = status;
  state_->failures_left = requests;
  state_->failure_body = body;
}

void ApiServer::split_events(std::size_t bytes, std::chrono::milliseconds delay) {
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
