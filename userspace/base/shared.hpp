#pragma once

#include <memory>
#include <utility>

namespace kubecni {

/// A value that many hold and nobody changes: a copy costs a counter. Compares as the value.
template <typename Value>
class Shared {
 public:
  // Both conversions are implicit, so that it stands for the value.
  Shared(Value value) : value_(std::make_shared<const Value>(std::move(value))) {}
  operator const Value&() const { return *value_; }
  const Value* operator->() const { return value_.get(); }
  const Value& operator*() const { return *value_; }

  bool operator==(const Shared& other) const {
    return value_ == other.value_ || *value_ == *other.value_;
  }
  bool operator==(const Value& other) const { return *value_ == other; }

 private:
  std::shared_ptr<const Value> value_;
};

}  // namespace kubecni
