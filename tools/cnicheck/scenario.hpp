#pragma once

#include "base/result.hpp"
#include "bench.hpp"
#include "expect.hpp"
#include "snapshot.hpp"

#include <deque>
#include <string>
#include <vector>

namespace kubecni::cnicheck {

/// A container's attachment to a network, made by ADD.
struct Attachment {
  Network network;
  Target target;
  nlohmann::json result;  ///< what ADD answered
  int pod_fd = -1;        ///< its pod's namespace
  bool gone = false;      ///< a DEL of it has succeeded
};

/// The node's kernel state and the files below --state-dir at one time.
struct NodeState {
  KernelSnapshot kernel;
  StateSnapshot files;
};

/// One case's pods and attachments. The destructor calls DEL for each attachment, removes each
/// pod's namespace, and deletes leftover links on the node and files in the state folders, so that
/// one case does not affect the next.
class Scenario {
 public:
  explicit Scenario(Bench& bench);
  Scenario(const Scenario&) = delete;
  Scenario& operator=(const Scenario&) = delete;
  ~Scenario();

  Bench& bench;

  /// A new namespace of a pod. The reference stays valid.
  Result<TestNamespace*> new_pod();
  /// An ADD that has to succeed, of a new container in a new pod. The pointer
  /// stays valid. `network` is the bench's own if there is none.
  Result<Attachment*> attach(const Network* network = nullptr);
  /// The same in an existing pod, for a given container and interface.
  Result<Attachment*> attach(const Network& network, const Target& target, int pod_fd,
                             const nlohmann::json& runtime_config = nullptr);
  /// Registers an attachment that was made otherwise, so that it gets its DEL.
  Attachment* remember(Attachment attachment);

  /// A DEL that has to succeed and say nothing.
  Result<> detach(Attachment& attachment);
  Result<> detach(Attachment& attachment, const Target& target, const nlohmann::json& prev_result);

  Result<NodeState> look() const;
  [[nodiscard]] Result<KernelSnapshot> look_at(const Attachment& attachment) const {
    return KernelSnapshot::take(attachment.pod_fd);
  }
  /// Keeps what is left at the end: a plugin makes it once per node.
  void keep_leftovers() { keeps_leftovers_ = true; }

  /// The node is as in `before`, and no file mentions `container_id`. Waits up
  /// to 2 s, since the kernel takes down a removed namespace in the background.
  Result<> expect_unchanged(const NodeState& before, const std::string& what,
                            const std::string& container_id = "") const;
  /// The same for the kernel's state alone.
  Result<> expect_kernel_unchanged(const KernelSnapshot& before, const std::string& what) const;
  /// The pod's namespace is as in `before`.
  Result<> expect_pod_unchanged(const KernelSnapshot& before, int pod_fd,
                                const std::string& what) const;

 private:
  void delete_new_links();
  void delete_new_files();

  std::deque<TestNamespace> pods_;
  std::deque<Attachment> attachments_;
  Result<NodeState> start_;
  bool keeps_leftovers_ = false;
};

}  // namespace kubecni::cnicheck
