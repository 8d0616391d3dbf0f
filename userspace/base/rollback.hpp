#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace kubecni {

/// The undo steps of a half-done change. They run last-first when the object is destroyed, unless
/// keep() said that the change is complete.
class Rollback {
 public:
  Rollback() = default;
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;
  ~Rollback() {
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) (*step)();
  }

  void add(std::function<void()> undo) { steps_.push_back(std::move(undo)); }
  void keep() { steps_.clear(); }

 private:
  std::vector<std::function<void()>> steps_;
};

}  // namespace kubecni
