#pragma once

#include <string>

namespace kubecni {

/// Keeps what libbpf says (the verifier's log with it) instead of having it on
/// standard error, from now on and for the whole process: libbpf has one print
/// function. Forgets what was kept so far. Not for several threads at once.
void keep_libbpf_log();

/// The end of what libbpf said since, for an error's text; often empty.
const std::string& kept_libbpf_log();

}  // namespace kubecni
