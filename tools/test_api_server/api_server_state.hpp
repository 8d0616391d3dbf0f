#pragma once

#include "test_api_server/api_server.hpp"
#include "test_api_server/field_selector.hpp"

#include <httplib.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace kubecni::test {

/// The server's content and behaviour; `mutex` guards everything but `http`.
struct ApiServer::State {
  using Clock = std::chrono::steady_clock;
  using json = nlohmann::json;

  static constexpr const char* kNodes = "/api/v1/nodes";
  static constexpr const char* kSlices =
      "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";

  /// The objects of one path.
  struct Collection {
    std::string list_kind;
    std::string resource;  ///< for RBAC: "nodes"
    std::map<std::string, json> objects = {};
  };
  struct Change {
    std::string path;  ///< of the collection
    std::uint64_t version;
    std::string type;    ///< "ADDED"; empty: `object` is the whole line
    std::string object;  ///< as JSON
    SelectableFields before = {}, after = {};
  };
  /// The position of one watch.
  struct Watch {
    std::string path;
    FieldSelector selector;
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
  std::map<std::string, Collection> collections{
      {kNodes, {"NodeList", "nodes"}},
      {kSlices, {"EndpointSliceList", "endpointslices.discovery.k8s.io"}}};
  std::map<std::string, json>& nodes = collections.at(kNodes).objects;
  std::vector<Change> history;
  std::uint64_t version = 100;
  std::uint64_t oldest_version = 100;  ///< a watch from before this gets 410
  std::map<std::string, json> events;

  unsigned cuts = 0;
  Cut cut_where = Cut::kBetweenEvents;
  bool stopping = false;
  int failure_status = 0;
  int failures_left = 0;
  int event_failures_left = 0;
  std::string failure_body;
  int retry_after_s = 0;
  int halves_left = 0;
  std::set<std::string> forbidden;  ///< "patch nodes/status"
  std::set<std::string> refused;    ///< parts of paths
  std::string token;                ///< empty: every client is accepted
  std::function<void()> on_other_token;
  std::size_t split_bytes = 0;
  std::chrono::milliseconds split_delay{};
  std::size_t page_limit = SIZE_MAX;
  std::string ballast;  ///< JSON; empty: none
  Counters counters;

  /// Serves the known paths.
  void route();

  // The caller of each of these holds the mutex.
  bool admit(const std::string& permission, const httplib::Request& request,
             httplib::Response& response);
  void answer_collection(const httplib::Request& request, httplib::Response& response);
  bool fail(httplib::Response& response);
  void list(const httplib::Request& request, httplib::Response& response);
  void watch(const httplib::Request& request, httplib::Response& response);
  void get_node(const std::string& name, httplib::Response& response) const;
  void patch_node(const httplib::Request& request, httplib::Response& response);
  void post_event(const httplib::Request& request, httplib::Response& response);
  void answer_slowly(std::string text, httplib::Response& response);
  static std::string line_for(const Watch& watch, const Change& change);
  std::string lines_for(Watch& watch) const;
  /// Gives `object` the next resourceVersion, and makes it an event for watches.
  void record(const char* type, json& object, const std::string& path = kNodes,
              const json& before = {});
  void store(json object, const std::string& path = kNodes);

  bool write_next(Watch& watch, httplib::DataSink& sink);
  bool write(const std::string& lines, std::unique_lock<std::mutex>& lock, httplib::DataSink& sink);
};

/// Refuses with a `v1 Status`, like the API server.
void answer_status(int code, const std::string& reason, const std::string& message,
                   httplib::Response& response);

}  // namespace kubecni::test
