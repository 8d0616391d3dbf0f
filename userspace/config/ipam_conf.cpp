#include "config/ipam_conf.hpp"

#include "base/json.hpp"
#include "config/check.hpp"
#include "config/cni_spec.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string_view>

namespace kubecni {

using nlohmann::json;

namespace {

std::unexpected<Error> wrong_value(const std::string& key, const json& value,
                                   std::string_view wanted) {
  return failure(EINVAL, wrong_value_text(key, value, wanted));
}

constexpr std::array<std::string_view, 4> kRangeKeys{"subnet", "rangeStart", "rangeEnd", "gateway"};
constexpr std::array<std::string_view, 2> kOtherKeys{"ranges", "migrateFrom"};

template <typename Keys>
bool has(const Keys& keys, const std::string& key) {
  return std::ranges::find(keys, key) != keys.end();
}

Result<> read_address(const std::string& key, const json& value, std::optional<IpAddr>& target) {
  if (value.is_null()) return {};
  target = IpAddr::parse(text_of(value));
  if (!target) return wrong_value(key, value, "an IP address");
  return {};
}

/// The range in `value`, which may have other keys, too.
Result<Range> read_range(const std::string& key, const json& value) {
  if (!value.contains("subnet")) return failure(EINVAL, "\"" + key + ".subnet\" is missing");
  auto subnet = read_cidr(key + ".subnet", value["subnet"]);
  if (!subnet) return std::unexpected(subnet.error());
  Range range{.subnet = *subnet};
  for (const auto& [name, target] :
       {std::pair{"rangeStart", &range.start}, std::pair{"rangeEnd", &range.end},
        std::pair{"gateway", &range.gateway}}) {
    if (auto read = read_address(key + "." + name, member(value, name), *target); !read)
      return std::unexpected(read.error());
  }
  return range;
}

Result<std::vector<Range>> read_set(const std::string& key, const json& set) {
  if (!set.is_array() || set.empty()) return wrong_value(key, set, "a list of at least one range");
  std::vector<Range> ranges;
  for (std::size_t i = 0; i < set.size(); ++i) {
    const std::string name = key + "[" + std::to_string(i) + "]";
    if (!set[i].is_object()) return wrong_value(name, set[i], "an object with a \"subnet\"");
    // A misspelt key would be ignored, and addresses given out that it should exclude.
    for (const auto& [range_key, value] : set[i].items()) {
      if (!has(kRangeKeys, range_key))
        return failure(EINVAL, "\"" + name + "." + range_key +
                                   "\" is unknown; a range may have subnet, "
                                   "rangeStart, rangeEnd and gateway");
    }
    auto range = read_range(name, set[i]);
    if (!range) return std::unexpected(range.error());
    ranges.push_back(*range);
  }
  return ranges;
}

Result<std::filesystem::path> read_migrate_from(const json& value) {
  if (value == json(false)) return "";
  if (!value.is_string()) return wrong_value("ipam.migrateFrom", value, "a folder, \"\" or false");
  std::filesystem::path folder = value.get<std::string>();
  if (!folder.empty() && !folder.is_absolute())
    return wrong_value("ipam.migrateFrom", value, "an absolute path");
  return folder;
}

Result<> check_keys(const json& ipam) {
  for (const auto& [key, value] : ipam.items()) {
    if (!has(kRangeKeys, key) && !has(kOtherKeys, key))
      return failure(EINVAL,
                     "\"ipam." + key +
                         "\" is unknown; without a \"type\", \"ipam\" may have ranges, subnet, "
                         "rangeStart, rangeEnd, gateway and migrateFrom");
  }
  return {};
}

}  // namespace

Result<std::vector<std::vector<Range>>> parse_range_sets(const std::string& key, const json& sets) {
  if (!sets.is_array()) return wrong_value(key, sets, "a list of lists of ranges");
  std::vector<std::vector<Range>> ranges;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    auto set = read_set(key + "[" + std::to_string(i) + "]", sets[i]);
    if (!set) return std::unexpected(set.error());
    ranges.push_back(std::move(*set));
  }
  return ranges;
}

Result<IpamConf> parse_ipam_conf(const json& ipam) {
  if (!ipam.is_object()) return wrong_value("ipam", ipam, "an object");
  if (const json& type = member(ipam, "type"); !type.is_null() && type != "") {
    // It becomes the name of a file.
    if (!is_cni_id(text_of(type))) return wrong_value("ipam.type", type, "the name of a plugin");
    if (type == "kube-cni")
      return wrong_value("ipam.type", type,
                         "another plugin; leave \"type\" out to let kube-cni allocate");
    return IpamConf{.type = text_of(type), .ranges = {}, .migrate_from = ""};
  }
  if (auto known = check_keys(ipam); !known) return std::unexpected(known.error());
  IpamConf conf;
  if (std::ranges::any_of(kRangeKeys, [&](auto key) { return ipam.contains(key); })) {
    auto range = read_range("ipam", ipam);
    if (!range) return std::unexpected(range.error());
    conf.ranges.push_back({*range});
  }
  if (const json& sets = member(ipam, "ranges"); !sets.is_null()) {
    auto ranges = parse_range_sets("ipam.ranges", sets);
    if (!ranges) return std::unexpected(ranges.error());
    conf.ranges.insert(conf.ranges.end(), ranges->begin(), ranges->end());
  }
  if (const json& folder = member(ipam, "migrateFrom"); !folder.is_null()) {
    auto read = read_migrate_from(folder);
    if (!read) return std::unexpected(read.error());
    conf.migrate_from = *read;
  }
  return conf;
}

}  // namespace kubecni
