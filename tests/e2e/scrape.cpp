#include "scrape.hpp"

#include "support/http.hpp"

#include <regex>
#include <sstream>
#include <stdexcept>

namespace kubecni::test {

namespace {

/// "# HELP name the text" -> {"name", "the text"}.
std::pair<std::string, std::string> name_and_text(const std::string& line) {
  const std::string rest = line.substr(std::string("# HELP ").size());
  const auto space = rest.find(' ');
  return {rest.substr(0, space), rest.substr(space + 1)};
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
  static const std::regex kName("\\b(kube_cni|process)_[a-z0-9_]+");
  static const std::regex kPartOfHistogram("_(bucket|sum|count)$");
  for (std::sregex_iterator name(text.begin(), text.end(), kName), end; name != end; ++name) {
    const std::string whole = name->str();
    const std::string family = std::regex_replace(whole, kPartOfHistogram, "");
    const auto type = scrape.type.find(family);
    const bool known =
        type != scrape.type.end() && (family != whole) == (type->second == "histogram");
    if (!known) return whole;
  }
  return "";
}

}  // namespace kubecni::test
