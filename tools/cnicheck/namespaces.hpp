#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <string>
#include <vector>

namespace kubecni::cnicheck {

/// A network namespace of ours at /run/netns/NAME; the destructor removes it.
class TestNamespace {
 public:
  /// Errors: EEXIST the name is taken; EPERM not root.
  static Result<TestNamespace> create(const std::string& name);

  TestNamespace(TestNamespace&& other) noexcept
      : path_(std::exchange(other.path_, "")), fd_(std::move(other.fd_)) {}
  TestNamespace& operator=(TestNamespace&&) = delete;
  ~TestNamespace();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

  /// Removes the namespace now and makes a new one at the same path.
  Result<> replace();
  /// Removes the namespace now; the path is gone, too.
  void remove();

 private:
  TestNamespace(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  UniqueFd fd_;
};

/// The namespace of the node, with a NIC `eth0` (192.0.2.1/24) on a wire. The other end, the
/// gateway 192.0.2.2, is in a namespace, too.
struct Node {
  TestNamespace node;
  TestNamespace wire;

  static Result<Node> create(const std::string& name_prefix);
};

/// Runs `ip ARGS` in a namespace and returns what it printed.
/// Errors: EIO it failed; the text has its own explanation.
Result<std::string> run_ip(int netns_fd, const std::vector<std::string>& args);

}  // namespace kubecni::cnicheck
