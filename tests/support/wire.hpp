#pragma once

#include "support/node.hpp"

#include <string>
#include <vector>

namespace kubecni::test {

/// A network segment between nodes: a bridge outside of them, whose ports are called
/// NAME-1, NAME-2 and so on, in the order of connect().
class Wire {
 public:
  explicit Wire(std::string name);
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire();

  /// Lets the outside take part, with `address`.
  void connect_outside(const std::string& address) const;

  /// Gives the namespace a NIC `nic` on this wire, with `addresses` ("192.0.2.1/24"),
  /// and returns the name of the wire's port.
  std::string connect(const NetNs& netns, const std::vector<std::string>& addresses,
                      const std::string& nic = "eth0");
  std::string connect(const Node& node, const std::string& address) {
    return connect(node.netns, {address});
  }

 private:
  std::string name_;
  unsigned ifindex_;
  std::uint8_t number_;  ///< of the wire
  std::uint8_t nodes_ = 0;
};

}  // namespace kubecni::test
