#pragma once

#include "base/result.hpp"
#include "test_api_server/make_node.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace kubecni::test {

/// A real HTTP server that behaves like the Kubernetes API server: LIST, WATCH, GET and PATCH of
/// nodes, POST of events, and LIST and WATCH of the API servers' EndpointSlice and of any other
/// kind, with field selectors. It fails on demand. Any thread may call it.
class ApiServer {
 public:
  struct Options {
    std::string address = "127.0.0.1";
    int port = 0;           ///< 0: any that is free
    std::string cert_file;  ///< with key_file: speaks HTTPS
    std::string key_file;
    std::string client_ca_file;  ///< asks for client certificates of this CA
  };

  /// Listens in the network namespace of the calling thread; the object may
  /// then be used from other namespaces. Errors: EADDRINUSE cannot listen;
  /// EINVAL certificate or key unusable.
  static Result<std::unique_ptr<ApiServer>> start(const Options& options);
  static Result<std::unique_ptr<ApiServer>> start() { return start(Options()); }
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;
  ~ApiServer();

  [[nodiscard]] std::string url() const;
  [[nodiscard]] int port() const;

  /// Adds or replaces a node; watchers get ADDED or MODIFIED.
  void set_node(nlohmann::json node);
  /// The current object, without the ballast; null: there is none.
  [[nodiscard]] nlohmann::json node(const std::string& name) const;
  /// Watchers get DELETED; an unknown name is ignored.
  void delete_node(const std::string& name);
  void send_bookmark();
  /// Every node sent from now on has the member `ballast`, too.
  void set_ballast(const nlohmann::json& ballast);

  /// The posted Events, in the order of their names.
  [[nodiscard]] std::vector<nlohmann::json> events() const;
  /// Announces the API servers at `addresses`; without this call there is no EndpointSlice.
  void set_endpoints(const std::vector<std::string>& addresses, int port);

  /// Serves one more kind: "/apis/example.net/v1/widgets", "WidgetList", "widgets.example.net".
  void add_kind(const std::string& path, const std::string& list_kind, const std::string& resource);
  /// Like set_node() and delete_node(), for objects of that kind.
  void set_object(const std::string& path, nlohmann::json object);
  void delete_object(const std::string& path, const std::string& name);

  /// Discards all events so far: live watches get an ERROR event 410 and end, and the next watch
  /// from an older resourceVersion gets status 410.
  void expire_history();
  /// Replaces all nodes without an event, and expires the history.
  void replace_nodes(const std::vector<nlohmann::json>& nodes);

  enum class Cut { kBetweenEvents, kInsideEvent };
  /// Breaks the live watches off; the connections end without the last chunk.
  void cut_connections(Cut where = Cut::kBetweenEvents);
  /// Writes `line` unchanged to the live watches.
  void send_raw_line(const std::string& line);

  /// Answers the next `requests` to list or watch nodes with `status` and `body`,
  /// and with a Retry-After unless that is 0.
  void set_failure(int status, int requests, const std::string& body = "",
                   std::chrono::seconds retry_after = {});
  /// Answers the next `requests` to create an Event with status 500.
  void fail_events(int requests);
  /// Ends the connection of the next `requests` to list nodes in the middle.
  void break_off_lists(int requests);
  /// Answers 503 to requests whose path with its query has `part`, until allow_all().
  void refuse(const std::string& part);
  /// Answers 403 to a verb on a resource from now on: "patch nodes/status".
  void forbid(const std::string& permission);
  void allow_all();
  /// Answers 401 unless the client has this token. `on_other` is called before that, and
  /// must not call the server.
  void require_token(const std::string& token, std::function<void()> on_other = {});
  /// Writes lists and events in pieces of `bytes` with `delay` in between; 0: in one.
  void split_answers(std::size_t bytes, std::chrono::milliseconds delay);
  /// Pages of a list have at most `nodes` items, whatever the client asks for.
  void limit_pages(std::size_t nodes);

  /// The requests so far, including failures.
  struct Counters {
    std::map<std::string, int> asked;  ///< how often by permission, "patch nodes/status"
    int lists = 0;                     ///< requests, so one per page
    int watches = 0;
    int live_watches = 0;
    std::multiset<std::string> live;            ///< paths with their query of all live watches
    std::string last_authorization;             ///< the header of the last request
    std::string last_via;                       ///< likewise: through which proxies it came
    std::string last_watched_resource_version;  ///< of the last watch
    std::vector<std::string> requests;          ///< paths with their query
    std::chrono::steady_clock::time_point listed_at{};  ///< when a list of nodes was last complete
  };
  [[nodiscard]] Counters counters() const;

 private:
  struct State;
  explicit ApiServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kubecni::test
