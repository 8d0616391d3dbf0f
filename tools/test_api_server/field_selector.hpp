#pragma once

#include "base/result.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <string>
#include <vector>

namespace kubecni::test {

/// Those fields of an object that a selector may name, "spec.nodeName" and a few others. An object
/// without one has it empty.
using SelectableFields = std::map<std::string, std::string>;
SelectableFields fields_of(const nlohmann::json& object);

/// The `fieldSelector` of a list or watch.
class FieldSelector {
 public:
  /// Takes "spec.nodeName=a,status.phase!=Failed". Errors: EINVAL malformed, or another field.
  static Result<FieldSelector> parse(const std::string& text);

  [[nodiscard]] bool selects(const SelectableFields& fields) const;

 private:
  struct Term {
    std::string field;
    std::string value;
    bool is_equal;
  };

  std::vector<Term> terms_;  ///< all have to hold
};

}  // namespace kubecni::test
