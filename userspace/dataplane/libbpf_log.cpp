#include "dataplane/libbpf_log.hpp"

#include <bpf/libbpf.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace kubecni {

namespace {

constexpr std::size_t kKeptBytes = 2000;

std::string& kept() {
  static std::string text;
  return text;
}

int keep(libbpf_print_level level, const char* format, va_list args) {
  if (level == LIBBPF_DEBUG) return 0;
  char line[4096];
  const int length = std::vsnprintf(line, sizeof(line), format, args);
  std::string& text = kept();
  text.append(line, std::min(sizeof(line) - 1, static_cast<std::size_t>(std::max(length, 0))));
  if (text.size() > kKeptBytes) text.erase(0, text.size() - kKeptBytes);
  return 0;
}

}  // namespace

void keep_libbpf_log() {
  kept().clear();
  libbpf_set_print(keep);
}

const std::string& kept_libbpf_log() { return kept(); }

}  // namespace kubecni
