#pragma once

#include "base/result.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace kubecni::test {

/// A `v1 Node` as the API server has it once node and PodCIDR are known.
nlohmann::json make_node(const std::string& name, const std::string& internal_ip,
                         const std::string& pod_cidr);
/// The same with several addresses and PodCIDRs, in this order.
nlohmann::json make_node(const std::string& name, const std::vector<std::string>& internal_ips,
                         const std::vector<std::string>& pod_cidrs);

/// A `v1 NodeList` of `nodes`, as a file or a page of the API has it.
nlohmann::json make_node_list(const std::vector<nlohmann::json>& nodes);

/// A real HTTP server that answers LIST and WATCH of nodes as the Kubernetes
/// API server does, and that fails on demand. Any thread may call it.
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
  /// Watchers get DELETED; an unknown name is ignored.
  void delete_node(const std::string& name);
  void send_bookmark();

  /// Forgets all events so far: live watches get an ERROR event 410 and end, and
  /// the next watch from an older resourceVersion is answered with status 410.
  void expire_history();
  /// Replaces all nodes without an event, and expires the history.
  void replace_nodes(const std::vector<nlohmann::json>& nodes);

  enum class Cut { kBetweenEvents, kInsideEvent };
  /// Breaks the live watches off; the connections end without the last chunk.
  void cut_connections(Cut where = Cut::kBetweenEvents);
  /// Writes `line` to the live watches, whatever it is.
  void send_raw_line(const std::string& line);

  /// Answers the next `requests` with `status` and `body`.
  void set_failure(int status, int requests, const std::string& body = "");
  /// Writes each event in pieces of `bytes` with `delay` in between; 0: in one.
  void split_events(std::size_t bytes, std::chrono::milliseconds delay);
  /// No page of a list has more than `nodes`, whatever the client asks for.
  void limit_pages(std::size_t nodes);

  /// What was asked for so far, failures included.
  struct Counters {
    int lists = 0;  ///< requests, so one per page
    int watches = 0;
    int live_watches = 0;
    std::string last_authorization;             ///< the header of the last request
    std::string last_watched_resource_version;  ///< of the last watch
    std::vector<std::string> requests;          ///< paths with their query
  };
  [[nodiscard]] Counters counters() const;

 private:
  struct State;
  explicit ApiServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kubecni::test
