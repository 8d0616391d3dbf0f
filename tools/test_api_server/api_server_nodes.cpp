// The test's API server: LIST and WATCH.

#include "test_api_server/api_server_state.hpp"
#include "test_api_server/make_node.hpp"

#include <algorithm>
#include <utility>

namespace kubecni::test {

using nlohmann::json;

namespace {

constexpr std::chrono::milliseconds kGoneCheck{200};

std::string event_line(const std::string& type, const std::string& object) {
  return "{\"type\":\"" + type + "\",\"object\":" + object + "}\n";
}

/// `object` as text with `ballast`, which is JSON, as one more member: merging it into the object
/// would take seconds for a list of thousands of nodes.
std::string with_ballast(const json& object, const std::string& ballast) {
  std::string text = object.dump();
  if (!ballast.empty()) text.insert(text.size() - 1, ",\"ballast\":" + ballast);
  return text;
}

json gone_status() {
  return {{"kind", "Status"},    {"apiVersion", "v1"}, {"status", "Failure"},
          {"reason", "Expired"}, {"code", 410},        {"message", "too old resource version"}};
}

std::uint64_t number_at(const httplib::Request& request, const char* key, std::uint64_t absent) {
  const std::string text = request.get_param_value(key);
  return text.empty() ? absent : std::stoull(text);
}

bool is_true(const std::string& text) { return text == "1" || text == "true"; }

}  // namespace

/// Whether this request fails on demand; then it is answered.
bool ApiServer::State::fail(httplib::Response& response) {
  if (failures_left <= 0) return false;
  --failures_left;
  response.status = failure_status;
  if (retry_after_s > 0) response.set_header("Retry-After", std::to_string(retry_after_s));
  response.set_content(failure_body, "application/json");
  return true;
}

/// LIST and WATCH of any kind; those of nodes are counted, and fail on demand.
void ApiServer::State::answer_collection(const httplib::Request& request,
                                         httplib::Response& response) {
  const auto found = collections.find(request.path);
  if (found == collections.end())
    return answer_status(404, "NotFound", "no " + request.path, response);
  const bool is_watch = is_true(request.get_param_value("watch"));
  const bool is_of_nodes = request.path == kNodes;
  if (is_of_nodes) ++(is_watch ? counters.watches : counters.lists);
  if (!admit((is_watch ? "watch " : "list ") + found->second.resource, request, response)) return;
  if (is_of_nodes && fail(response)) return;
  is_watch ? watch(request, response) : list(request, response);
}

void ApiServer::State::list(const httplib::Request& request, httplib::Response& response) {
  const std::size_t limit =
      std::min<std::size_t>(number_at(request, "limit", SIZE_MAX), page_limit);
  // The token has characters that survive only if the client escapes them.
  const std::string from = request.get_param_value("continue");
  const auto selector = FieldSelector::parse(request.get_param_value("fieldSelector"));
  if (!selector) return answer_status(400, "BadRequest", selector.error().what, response);
  const Collection& kind = collections.at(request.path);
  const auto& objects = kind.objects;
  auto object =
      from.empty() ? objects.begin() : objects.upper_bound(from.substr(from.find('&') + 1));

  std::string items;
  std::string last;
  for (std::size_t count = 0; object != objects.end() && count < limit; ++object) {
    if (!selector->selects(fields_of(object->second))) continue;
    ++count;
    json item = object->second;
    item.erase("kind");  // like the real one
    item.erase("apiVersion");
    items += (items.empty() ? "" : ",") + with_ballast(item, ballast);
    last = object->first;
  }
  json page = make_node_list({});
  page["kind"] = kind.list_kind;
  page["metadata"]["resourceVersion"] = std::to_string(version);
  if (object != objects.end())
    page["metadata"]["continue"] = "after=+&" + last;
  else if (request.path == kNodes)
    counters.listed_at = Clock::now();
  std::string text = page.dump();
  const std::string_view no_items = "\"items\":[";
  text.insert(text.find(no_items) + no_items.size(), items);
  answer_slowly(std::move(text), response);
}

/// Sends pieces of the requested size, and stops early if told so.
void ApiServer::State::answer_slowly(std::string text, httplib::Response& response) {
  const bool is_half = halves_left > 0;
  if (is_half) --halves_left;
  const std::size_t size = text.size();
  const std::size_t piece = split_bytes > 0 ? split_bytes : size;
  response.set_content_provider(
      size, "application/json",
      [this, text = std::move(text), piece, is_half, delay = split_delay](
          std::size_t at, std::size_t, httplib::DataSink& sink) {
        if (is_half && at >= text.size() / 2) return false;
        std::unique_lock lock(mutex);
        if (at > 0 && changed.wait_for(lock, delay, [&] { return stopping; })) return false;
        lock.unlock();
        const std::size_t end = is_half ? text.size() / 2 : text.size();
        return sink.write(text.data() + at, std::min(piece, end - at));
      });
}

void ApiServer::State::watch(const httplib::Request& request, httplib::Response& response) {
  const bool is_of_nodes = request.path == kNodes;
  if (is_of_nodes)
    counters.last_watched_resource_version = request.get_param_value("resourceVersion");
  const std::uint64_t from = number_at(request, "resourceVersion", version);
  if (from < oldest_version) {
    response.status = 410;
    response.set_content(gone_status().dump(), "application/json");
    return;
  }
  const auto selector = FieldSelector::parse(request.get_param_value("fieldSelector"));
  if (!selector) return answer_status(400, "BadRequest", selector.error().what, response);
  const auto end = Clock::now() + std::chrono::seconds(number_at(request, "timeoutSeconds", 3600));
  auto state = std::make_shared<Watch>(
      Watch{request.path, *selector, from, is_true(request.get_param_value("allowWatchBookmarks")),
            cuts, end});
  if (is_of_nodes) ++counters.live_watches;
  counters.live.insert(request.target);
  response.set_chunked_content_provider(
      "application/json",
      [this, state](std::size_t, httplib::DataSink& sink) { return write_next(*state, sink); },
      [this, is_of_nodes, target = request.target](bool) {
        const std::lock_guard lock(mutex);
        if (is_of_nodes) --counters.live_watches;
        counters.live.extract(target);
      });
}

/// Writes new events to `watch` as soon as there are some. False ends the connection without the
/// last chunk.
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
    write(event_line("ERROR", gone_status().dump()), lock, sink);
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

/// To a watch with a selector, an object that stops matching is deleted.
std::string ApiServer::State::line_for(const Watch& watch, const Change& change) {
  if (change.type.empty()) return change.object + "\n";
  if (change.type == "BOOKMARK")
    return watch.wants_bookmarks ? event_line(change.type, change.object) : "";
  const bool is_update = change.type == "MODIFIED";
  const bool was_there =
      change.type != "ADDED" && watch.selector.selects(is_update ? change.before : change.after);
  const bool is_there = change.type != "DELETED" && watch.selector.selects(change.after);
  if (!was_there && !is_there) return "";
  return event_line(!is_there ? "DELETED" : was_there ? "MODIFIED" : "ADDED", change.object);
}

std::string ApiServer::State::lines_for(Watch& watch) const {
  std::string lines;
  for (const Change& change : history)
    if (change.path == watch.path && change.version > watch.version)
      lines += line_for(watch, change);
  watch.version = version;
  return lines;
}

bool ApiServer::State::write(const std::string& lines, std::unique_lock<std::mutex>& lock,
                             httplib::DataSink& sink) {
  const std::size_t piece = split_bytes > 0 ? split_bytes : lines.size();
  for (std::size_t at = 0; at < lines.size(); at += piece) {
    if (at > 0 && changed.wait_for(lock, split_delay, [&] { return stopping; })) return false;
    lock.unlock();
    if (!sink.write(lines.data() + at, std::min(piece, lines.size() - at))) return false;
    lock.lock();
  }
  return true;
}

void ApiServer::State::record(const char* type, json& object, const std::string& path,
                              const json& before) {
  object["metadata"]["resourceVersion"] = std::to_string(++version);
  history.push_back(
      {path, version, type, with_ballast(object, ballast), fields_of(before), fields_of(object)});
  changed.notify_all();
}

void ApiServer::State::store(json object, const std::string& path) {
  const std::string name = object.at("metadata").at("name");
  auto& objects = collections.at(path).objects;
  const auto known = objects.find(name);
  record(known != objects.end() ? "MODIFIED" : "ADDED", object, path,
         known != objects.end() ? known->second : json());
  objects[name] = std::move(object);
}

}  // namespace kubecni::test
