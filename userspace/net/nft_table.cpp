#include "net/nft_table.hpp"

#include "base/text.hpp"

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
  return verb + " element " + set + " { " + joined(changed) + " }\n";
}

}  // namespace

std::string NftTable::text() const {
  if (rules.empty()) return "";
  std::string text =
      "table " + name + " {\n\tcomment \"of kube-cnid, which undoes changes by others\"\n";
  for (const auto& [set_name, set] : sets) {
    text += "\tset " + set_name + " {\n\t\t" + set.header;
    if (!set.elements.empty()) text += " elements = { " + joined(set.elements) + " };";
    text += "\n\t}\n";
  }
  return text + rules + "}\n";
}

std::set<std::string> NftTable::objects() const {
  std::set<std::string> objects;
  if (rules.empty()) return objects;
  for (const auto& [set_name, set] : sets) objects.insert("set " + set_name);
  std::istringstream lines(rules);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("\tchain ")) objects.insert(line.substr(1, line.rfind(" {") - 1));
  return objects;
}

std::string plan_replacement(const std::string& name, const std::set<std::string>& before,
                             const NftTable& wanted) {
  // The first command is for the second, which needs a table to delete.
  if (before.empty() || before != wanted.objects())
    return "add table " + name + "\ndelete table " + name + "\n" + wanted.text();
  std::string text = "flush table " + name + "\n";
  for (const auto& [set_name, set] : wanted.sets)
    text += "flush set " + name + " " + set_name + "\n";
  return text + wanted.text();
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
