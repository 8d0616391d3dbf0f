#pragma once

#include "control/options.hpp"

#include <expected>

namespace kubecni {

/// The options, or the exit status after help or an error was printed. What the command
/// line says counts more than the file that `--config` names.
std::expected<DaemonOptions, int> parse_options(int argc, const char* const* argv);

}  // namespace kubecni
