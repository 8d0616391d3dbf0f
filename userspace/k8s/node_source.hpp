#pragma once

#include "base/result.hpp"
#include "cluster/node.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// The state of a NodeSource.
struct SourceStatus {
  /// The nodes are up to date, and changes arrive by themselves: the watch is open, or the file is
  /// readable.
  bool connected = false;
  /// When the source last sent anything, even without news; empty: never.
  std::optional<std::chrono::steady_clock::time_point> last_heard = {};
  /// The present problem, for people; empty if none is known.
  std::string error = {};
};

/// The result of take().
struct NodeNews {
  bool has_changed;  ///< false: an error is over, and the nodes are as before
  /// Of the nodes that came, changed or went; empty: of any.
  std::vector<std::string> names = {};
};

/// Where the nodes of the cluster come from. Only one thread calls it; any thread may call
/// status().
class NodeSource {
 public:
  NodeSource() = default;
  NodeSource(const NodeSource&) = delete;
  NodeSource& operator=(const NodeSource&) = delete;
  virtual ~NodeSource() = default;

  /// Readable, for poll(2) or epoll(7), when take() may have something new: from the beginning, or
  /// as soon as the first content is there.
  [[nodiscard]] virtual int fd() const = 0;

  /// Whether read() has other nodes than the last time, or an error to report; empty if nothing is
  /// new. An error holds until a result without error, and the last known state stays the best
  /// known. Never blocks. fd() stays readable until everything was taken.
  virtual std::optional<Result<NodeNews>> take() = 0;

  /// Calls `look` with all current nodes, which do not change meanwhile. Call it only after the
  /// first news without an error.
  virtual void read(const std::function<void(const NodeSnapshot&)>& look) const = 0;

  /// From any thread.
  [[nodiscard]] virtual SourceStatus status() const = 0;

  /// "file:/etc/nodes.json" or "kubernetes https://10.0.0.1:6443".
  [[nodiscard]] virtual std::string describe() const = 0;
};

}  // namespace kubecni
