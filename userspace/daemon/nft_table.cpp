#include "daemon/nft_table.hpp"

#include <algorithm>
#include <iterator>
#include <sstream>

namespace kubecni {

namespace {

bool have_same_structure(const NftTable& before, const NftTable& after) {
  return before.rules == after.rules &&
         std::ranges::equal(before.sets, after.sets, [](const auto& one, const auto& other) {
           return one.first == other.first && one.second.header == other.second.header;
         });
}

/// The command that changes what is in `some` and not in `others`; none when nothing is.
std::string change(const std::string& verb, const std::string& set,
                   const std::set<std::string>& some, const std::set<std::string>& others) {
  std::set<std::string> changed;
  std::ranges::set_difference(some, others, std::inserter(changed, changed.end()));
  if (changed.empty()) return "";
  return verb + " element " + set + " { " + join(changed) + " }\n";
}

/// "set nodes4", "chain postrouting", ...: what a table consists of, as it is listed.
std::set<std::string> objects_of(const std::string& table) {
  std::set<std::string> objects;
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    const bool is_object = line.starts_with("\t") && !line.starts_with("\t\t");
    if (is_object && line.ends_with(" {")) objects.insert(line.substr(1, line.size() - 3));
  }
  return objects;
}

}  // namespace

std::string join(const std::set<std::string>& elements) {
  std::string text;
  for (const std::string& element : elements) text += (text.empty() ? "" : ", ") + element;
  return text;
}

std::string NftTable::text() const {
  if (rules.empty()) return "";
  std::string text =
      "table " + name + " {\n\tcomment \"of kube-cnid, which undoes changes by others\"\n";
  for (const auto& [set_name, set] : sets) {
    text += "\tset " + set_name + " {\n\t\t" + set.header;
    if (!set.elements.empty()) text += " elements = { " + join(set.elements) + " };";
    text += "\n\t}\n";
  }
  return text + rules + "}\n";
}

std::string plan_replacement(const std::string& name, const std::string& before,
                             const std::string& wanted) {
  const auto objects = objects_of(wanted);
  // The first command is for the second, which needs a table to delete.
  if (objects.empty() || objects != objects_of(before))
    return "add table " + name + "\ndelete table " + name + "\n" + wanted;
  std::string text = "flush table " + name + "\n";
  for (const std::string& object : objects)
    if (object.starts_with("set ")) text += "flush set " + name + " " + object.substr(4) + "\n";
  return text + wanted;
}

std::optional<std::string> plan_elements(const NftTable& before, const NftTable& after) {
  if (!have_same_structure(before, after)) return std::nullopt;
  std::string deleted;
  std::string added;
  for (const auto& [name, set] : after.sets) {
    const auto& old_elements = before.sets.at(name).elements;
    const std::string full_name = after.name + " " + name;
    deleted += change("delete", full_name, old_elements, set.elements);
    added += change("add", full_name, set.elements, old_elements);
  }
  return deleted + added;
}

}  // namespace kubecni
