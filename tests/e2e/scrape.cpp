#include "scrape.hpp"

#include "support/http.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace kubecni::test {

namespace {

/// "# HELP name the text" -> {"name", "the text"}.
std::pair<std::string, std::string> name_and_text(const std::string& line) {
  const std::string rest = line.substr(std::string("# HELP ").size());
  const auto space = rest.find(' ');
  return {rest.substr(0, space), rest.substr(space + 1)};
}

bool is_of_a_name(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

std::string without_part_of_histogram(const std::string& name) {
  for (const std::string_view part : {"_bucket", "_sum", "_count"})
    if (name.ends_with(part)) return name.substr(0, name.size() - part.size());
  return name;
}

}  // namespace

double Scrape::operator[](const std::string& series) const {
  const auto found = values.find(series);
  if (found == values.end()) throw std::runtime_error("no " + series + " in\n" + text);
  return found->second;
}

Scrape scrape(const Node& node, std::uint16_t port) {
  const auto reply = http_get(node.netns, port, "/metrics");
  if (reply.status != 200)
    throw std::runtime_error("/metrics: status " + std::to_string(reply.status) + reply.body);
  Scrape made{.text = reply.body};
  std::istringstream lines(reply.body);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      made.help.insert(name_and_text(line));
    } else if (line.starts_with("# TYPE ")) {
      made.type.insert(name_and_text(line));
    } else {
      const auto space = line.rfind(' ');
      made.values[line.substr(0, space)] = std::stod(line.substr(space + 1));
    }
  }
  return made;
}

std::string find_unknown_metric(const std::string& text, const Scrape& scrape) {
  const auto end = text.end();
  for (auto at = std::find_if(text.begin(), end, is_of_a_name); at != end;
       at = std::find_if(at, end, is_of_a_name)) {
    const auto word_end = std::find_if_not(at, end, is_of_a_name);
    const std::string whole(at, word_end);
    at = word_end;
    if (!whole.starts_with("kube_cni_") && !whole.starts_with("process_")) continue;
    const std::string family = without_part_of_histogram(whole);
    const auto type = scrape.type.find(family);
    const bool known =
        type != scrape.type.end() && (family != whole) == (type->second == "histogram");
    if (!known) return whole;
  }
  return "";
}

}  // namespace kubecni::test
