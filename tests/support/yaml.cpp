#include "support/yaml.hpp"

#include "base/file.hpp"

#include <yaml-cpp/yaml.h>

#include <stdexcept>

namespace kubecni::test {

using nlohmann::json;

namespace {

json scalar(const YAML::Node& node) {
  if (node.Tag() == "!") return node.Scalar();  // it was quoted, or a block
  if (bool value = false; YAML::convert<bool>::decode(node, value)) return value;
  if (long value = 0; YAML::convert<long>::decode(node, value)) return value;
  return node.Scalar();
}

json convert(const YAML::Node& node) {
  json converted;
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return scalar(node);
    case YAML::NodeType::Sequence:
      converted = json::array();
      for (const auto& item : node) converted.push_back(convert(item));
      return converted;
    case YAML::NodeType::Map:
      converted = json::object();
      for (const auto& entry : node) {
        const auto key = entry.first.Scalar();
        if (converted.contains(key)) throw std::runtime_error("key " + key + " twice");
        converted[key] = convert(entry.second);
      }
      return converted;
    default:
      return nullptr;
  }
}

}  // namespace

std::vector<json> parse_yaml(const std::string& text) {
  std::vector<json> documents;
  for (const auto& document : YAML::LoadAll(text)) documents.push_back(convert(document));
  return documents;
}

std::vector<json> read_yaml(const std::filesystem::path& path) {
  const auto text = read_file(path);
  if (!text) throw std::runtime_error(text.error().what);
  return parse_yaml(*text);
}

json find_object(const std::vector<json>& documents, const std::string& kind,
                 const std::string& name) {
  json found;
  for (const json& document : documents) {
    if (document.value("kind", "") != kind || document["metadata"].value("name", "") != name)
      continue;
    if (!found.is_null()) throw std::runtime_error(kind + " " + name + " twice");
    found = document;
  }
  if (found.is_null()) throw std::runtime_error("no " + kind + " " + name);
  return found;
}

}  // namespace kubecni::test
