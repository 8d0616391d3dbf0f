#include "dataplane/pins.hpp"

#include "base/file.hpp"
#include "dataplane/program.hpp"
#include "kubecni/maps.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace kubecni {

namespace {

constexpr std::array kMapNames{
#define X(name, map_type, flags, capacity, key_type, value_type) #name,
    KUBECNI_MAPS(X)
#undef X
};

/// "v2"
bool is_schema(const std::string& name) {
  return name.size() > 1 && name[0] == 'v' &&
         std::all_of(name.begin() + 1, name.end(), [](unsigned char c) { return std::isdigit(c); });
}

}  // namespace

PinPaths::PinPaths(const std::filesystem::path& bpffs)
    : maps(bpffs / ("v" + std::to_string(KUBECNI_SCHEMA)) / "maps"),
      progs(maps.parent_path() / "progs"),
      links(bpffs / "links") {}

Result<std::vector<std::string>> list_schemas(const std::filesystem::path& bpffs) {
  auto names = list_directory(bpffs);
  if (names) std::erase_if(*names, [](const auto& name) { return !is_schema(name); });
  return names;
}

Result<> remove_schema(const std::filesystem::path& folder) {
  std::error_code error;
  for (const char* part : {"maps", "progs"}) {
    std::filesystem::remove_all(folder / part, error);
    if (error) return sys_error(error.value(), "remove " + (folder / part).string());
  }
  std::error_code not_empty;
  std::filesystem::remove(folder, not_empty);
  return {};
}

bool is_complete(const PinPaths& pins) {
  std::error_code ignored;
  const auto is_pinned = [&](const std::filesystem::path& pin) {
    return std::filesystem::exists(pin, ignored);
  };
  return std::ranges::all_of(kMapNames,
                             [&](const char* name) { return is_pinned(pins.maps / name); }) &&
         std::ranges::all_of(kPrograms, [&](const Program& program) {
           return is_pinned(pins.progs / program.name);
         });
}

}  // namespace kubecni
