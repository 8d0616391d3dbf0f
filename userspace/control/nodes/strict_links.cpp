#include "control/nodes/strict_links.hpp"

#include "base/file.hpp"
#include "net/sysctl.hpp"

#include <algorithm>
#include <string>

namespace kubecni {

namespace {

std::string setting_of(const std::string& device, const char* name) {
  return "net/ipv4/conf/" + device + "/" + name;
}

std::string rp_filter_of(const std::string& device) {
  return read_file("/proc/sys/" + setting_of(device, "rp_filter")).value_or("0").substr(0, 1);
}

}  // namespace

std::set<unsigned> find_strict_links(const std::vector<Link>& links) {
  const std::string of_all = rp_filter_of("all");
  std::set<unsigned> strict;
  for (const Link& link : links)
    if (std::max(of_all, rp_filter_of(link.name)) == "1") strict.insert(link.ifindex);
  return strict;
}

void let_marks_decide(const std::vector<Link>& links, const std::set<unsigned>& strict,
                      Outcome& outcome) {
  for (const Link& link : links) {
    if (!strict.contains(link.ifindex)) continue;
    const std::string setting = setting_of(link.name, "src_valid_mark");
    auto written = ensure_sysctl(setting, "1");
    if (written && !*written) continue;
    outcome.apply(written ? Result<>() : fail(written),
                  "set " + setting + "=1, so that rp_filter accepts both ways of other nodes");
  }
}

}  // namespace kubecni
