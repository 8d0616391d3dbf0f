#pragma once

#include "base/result.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace kubecni::cnicheck {

/// Something that a plugin can leave in a namespace, in words, and the device
/// that it is about.
struct Fact {
  std::string device;
  std::string text;

  auto operator<=>(const Fact&) const = default;
};

/// The links, addresses, routes, rules, permanent neighbours, FDB entries and queueing disciplines
/// of a namespace. Leaves out what the kernel derives itself: link-local and multicast entries, the
/// local table, carrier.
class KernelSnapshot {
 public:
  /// Uses `ip`, `bridge` and `tc`, so as not to trust the tested code.
  static Result<KernelSnapshot> take(int netns_fd);

  /// The entries only in `other` ("+ ...") and only here ("- ..."). Ignores a bridge that is new in
  /// `other`: a plugin may keep one for later pods.
  [[nodiscard]] std::vector<std::string> differences(const KernelSnapshot& other) const;

  /// The link called `name` as `ip -d -j address` prints it; null if there is none.
  [[nodiscard]] nlohmann::json link(const std::string& name) const;
  [[nodiscard]] const nlohmann::json& links() const { return links_; }
  /// The routes of all tables as `ip -j route` prints them, both families.
  [[nodiscard]] const nlohmann::json& routes() const { return routes_; }
  [[nodiscard]] const std::set<Fact>& facts() const { return facts_; }

 private:
  nlohmann::json links_, routes_;
  std::set<Fact> facts_;
  std::set<std::string> bridges_;
};

/// All files below some folders.
class StateSnapshot {
 public:
  static StateSnapshot take(const std::vector<std::filesystem::path>& folders);

  [[nodiscard]] std::vector<std::string> added_in(const StateSnapshot& other) const;
  /// The files that came and went.
  [[nodiscard]] std::vector<std::string> differences(const StateSnapshot& other) const;
  /// The files whose path or content has `text`, with their contents.
  [[nodiscard]] std::map<std::string, std::string> mentioning(const std::string& text) const;

 private:
  std::map<std::string, std::string> files_;
};

}  // namespace kubecni::cnicheck
