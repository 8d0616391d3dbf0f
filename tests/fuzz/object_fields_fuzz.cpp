// The picked fields of an object, compared with a full parser.

#include "base/json.hpp"
#include "fuzz.hpp"
#include "k8s/object_fields.hpp"

using namespace kubecni;
using fuzz::require;

namespace {

const ObjectFields kFields =
    ObjectFields::of({"kind", "metadata.name", "spec.podCIDRs", "spec.a.b", "status.addresses"});

nlohmann::json kept_of(const nlohmann::json& value, const ObjectFields& fields) {
  if (!value.is_object() || fields.inside.empty()) return value;
  nlohmann::json kept = nlohmann::json::object();
  for (const ObjectFields& field : fields.inside)
    if (value.contains(field.name)) kept[field.name] = kept_of(value[field.name], field);
  return kept;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = fuzz::text_from(data, size);

  const auto whole = parse_json(text);
  const auto picked = pick_fields(text, kFields);

  if (!whole) {
    require(picked || !picked.error().what.empty(), "a refusal says why");
    return 0;
  }
  require(picked.has_value(), "valid JSON is accepted");
  require(*picked == kept_of(*whole, kFields), "and the kept fields equal those of the parser");
  return 0;
}
