#include "test_api_server/field_selector.hpp"

#include "base/json.hpp"

#include <algorithm>
#include <cerrno>
#include <sstream>

namespace kubecni::test {

SelectableFields fields_of(const nlohmann::json& object) {
  const auto text = [&](const char* part, const char* name) {
    return text_of(member(member(object, part), name));
  };
  return {{"metadata.name", text("metadata", "name")},
          {"metadata.namespace", text("metadata", "namespace")},
          {"spec.nodeName", text("spec", "nodeName")},
          {"status.phase", text("status", "phase")}};
}

Result<FieldSelector> FieldSelector::parse(const std::string& text) {
  static const SelectableFields known = fields_of({});
  FieldSelector selector;
  std::istringstream terms(text);
  for (std::string term; std::getline(terms, term, ',');) {
    const auto equals = term.find('=');
    if (equals == std::string::npos) return failure(EINVAL, "invalid selector: " + text);
    const bool is_equal = equals == 0 || term[equals - 1] != '!';
    const std::string field = term.substr(0, equals - (is_equal ? 0 : 1));
    if (!known.contains(field)) return failure(EINVAL, "field label not supported: " + field);
    selector.terms_.push_back({field, term.substr(equals + 1), is_equal});
  }
  return selector;
}

bool FieldSelector::selects(const SelectableFields& fields) const {
  return std::ranges::all_of(terms_, [&](const Term& term) {
    return (fields.at(term.field) == term.value) == term.is_equal;
  });
}

}  // namespace kubecni::test
