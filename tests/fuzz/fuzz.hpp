#pragma once

#include "support/temp_dir.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

// Each *_fuzz.cpp here is a program that libFuzzer feeds with changed copies of
// the files in corpus/NAME; see tools/fuzz.
namespace kubecni::fuzz {

inline std::string text_from(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Must hold for every input. If not, libFuzzer keeps the input.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

/// A folder for readers that take a file, one per program, removed at the end.
inline const std::filesystem::path& scratch_folder() {
  static const test::TempDir folder;
  return folder.path();
}

inline void put_file(const std::filesystem::path& path, std::string_view content) {
  std::ofstream file(path, std::ios::trunc);
  require(bool(file << content << std::flush), "the scratch folder takes a file");
}

}  // namespace kubecni::fuzz
