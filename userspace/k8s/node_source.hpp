#pragma once

#include "base/result.hpp"
#include "cluster/node.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace kubecni {

/// How a NodeSource stands with what it reads.
struct SourceStatus {
  /// The nodes are as the source has them, and changes come by themselves: the
  /// watch is open, or the file is readable.
  bool connected = false;
  /// When the source last said anything, be it that nothing is new; empty: never.
  std::optional<std::chrono::steady_clock::time_point> last_heard = {};
  /// What keeps us from it at present, for people; empty when nothing is known to.
  std::string error = {};
};

/// What take() has to say.
struct NodeNews {
  bool has_changed;  ///< false: an error is over, and the nodes are as before
};

/// Where the nodes of the cluster come from. All calls but status() are for one
/// thread.
class NodeSource {
 public:
  NodeSource() = default;
  NodeSource(const NodeSource&) = delete;
  NodeSource& operator=(const NodeSource&) = delete;
  virtual ~NodeSource() = default;

  /// Is readable, for poll(2) or epoll(7), when take() may have something new.
  /// Readable from the beginning or as soon as the first content is there.
  [[nodiscard]] virtual int fd() const = 0;

  /// Whether read() has other nodes than the last time, or an error to report; empty when
  /// there is nothing new. An error holds until there is no error, and what was known
  /// before stays the best known state. Never blocks. fd() stays readable until
  /// all was taken.
  virtual std::optional<Result<NodeNews>> take() = 0;

  /// Calls `look` with all nodes as they are by now, which the source does not change
  /// meanwhile. For after the first news without an error.
  virtual void read(const std::function<void(const NodeSnapshot&)>& look) const = 0;

  /// From any thread.
  [[nodiscard]] virtual SourceStatus status() const = 0;

  /// "file:/etc/nodes.json" or "kubernetes https://10.0.0.1:6443".
  [[nodiscard]] virtual std::string describe() const = 0;
};

}  // namespace kubecni
