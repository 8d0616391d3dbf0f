#pragma once

#include "control/options.hpp"

#include <expected>

namespace kubecni {

/// The options, or the exit status if help or an error was printed. The command line overrides the
/// file that `--config` names.
std::expected<DaemonOptions, int> parse_options(int argc, const char* const* argv);

}  // namespace kubecni
