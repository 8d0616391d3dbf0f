#pragma once

#include "base/ip.hpp"
#include "base/unique_fd.hpp"

#include <functional>
#include <string>
#include <vector>

namespace kubecni::test {

/// A network namespace that is found at /run/netns/NAME while the object lives.
/// Its `lo` is up.
class NetNs {
 public:
  explicit NetNs(std::string name);
  NetNs(NetNs&& other) noexcept;
  NetNs& operator=(NetNs&&) = delete;
  ~NetNs();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string path() const { return "/run/netns/" + name_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

  /// Runs `body` on a separate thread in the namespace. A socket opened there belongs to the
  /// namespace for good. Rethrows what `body` throws.
  void enter(const std::function<void()>& body) const;

  /// Releases the namespace, as a runtime does with a pod that ended.
  void remove();

 private:
  std::string name_;
  UniqueFd fd_;
};

/// A pod as a runtime prepares it: a namespace with a container id.
struct Pod {
  explicit Pod(const std::string& name) : netns(name), container_id(name) {}

  NetNs netns;
  std::string container_id;
  std::string ifname = "eth0";
  IpAddr address = {};                 ///< once it was added: the first of `addresses`
  std::vector<IpAddr> addresses = {};  ///< in the order of the result

  /// Throws when it has none of that family.
  [[nodiscard]] IpAddr address_of(int family) const;
};

}  // namespace kubecni::test
