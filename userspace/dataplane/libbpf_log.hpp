#pragma once

#include <string>

namespace kubecni {

/// Collects libbpf's messages, with the verifier's log, instead of printing them to standard error,
/// for the whole process: libbpf has one print function. Discards what was collected before. Not
/// for concurrent threads.
void keep_libbpf_log();

/// The end of libbpf's messages since then, for an error's text; often empty.
const std::string& kept_libbpf_log();

}  // namespace kubecni
