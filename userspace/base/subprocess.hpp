#pragma once

#include "base/result.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

/// A program to execute: by its path, without a shell.
struct Subprocess {
  std::filesystem::path program;       ///< also its argv[0]
  std::vector<std::string> args = {};  ///< after it
  std::vector<std::string> env;        ///< "NAME=value", its whole environment
  std::string input;                   ///< for its standard input
  std::chrono::milliseconds deadline{0};
  bool takes_errors = false;  ///< its standard error joins its output; else it is ours
};

struct SubprocessEnd {
  int status = 0;   ///< exit status; 128 + signal
  std::string out;  ///< its standard output
};

/// Runs the program to its end. What it leaves running in the background is not waited for.
/// Errors: ETIMEDOUT it did not end before the deadline, and was killed; those of
/// posix_spawn(3), like ENOENT and EACCES; EFBIG it wrote over 16 MiB.
Result<SubprocessEnd> run_subprocess(const Subprocess& subprocess);

}  // namespace kubecni
