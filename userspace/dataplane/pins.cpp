#include "dataplane/pins.hpp"

#include "dataplane/program.hpp"
#include "kubecni/maps.h"

#include <algorithm>
#include <array>
#include <string>

namespace kubecni {

namespace {

constexpr std::array kMapNames{
#define X(name, map_type, flags, capacity, key_type, value_type) #name,
    KUBECNI_MAPS(X)
#undef X
};

}  // namespace

PinPaths::PinPaths(const std::filesystem::path& bpffs)
    : maps(bpffs / ("v" + std::to_string(KUBECNI_SCHEMA)) / "maps"),
      progs(maps.parent_path() / "progs"),
      links(bpffs / "links") {}

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
