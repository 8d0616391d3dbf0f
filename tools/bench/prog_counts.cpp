#include "bench/prog_counts.hpp"

#include "dataplane/program.hpp"
#include "dataplane/program_object.hpp"

#include <sys/utsname.h>

#include <cerrno>

namespace kubecni::bench {

namespace {

Result<> add_counts(const std::string& variant, const bpf_object* object,
                    std::vector<ProgCounts>& counts) {
  for (const Program& program : kPrograms) {
    const bpf_program* found = bpf_object__find_program_by_name(object, program.name);
    if (!found) return failure(ENOENT, std::string("the object has no program ") + program.name);
    auto info = program_info(bpf_program__fd(found));
    if (!info) return fail(info, program.name);
    counts.push_back({.variant = variant,
                      .program = program.name,
                      .instructions = bpf_program__insn_cnt(found),
                      .verified = info->verified_insns,
                      .xlated = info->xlated_prog_len,
                      .jited = info->jited_prog_len});
  }
  return {};
}

}  // namespace

Result<std::vector<ProgCounts>> count_programs() {
  std::vector<ProgCounts> counts;
  auto asking = load_programs({});
  if (!asking) return fail(asking);
  if (asking->no_conntrack_reason.empty())
    if (auto added = add_counts("asks conntrack", asking->object.get(), counts); !added)
      return fail(added);
  auto other = load_programs_without_conntrack({});
  if (!other) return fail(other);
  if (auto added = add_counts("does not ask", other->get(), counts); !added) return fail(added);
  return counts;
}

std::string kernel_series(const std::string& release) {
  const auto first = release.find('.');
  if (first == std::string::npos) return release;
  return release.substr(0, release.find_first_not_of("0123456789", first + 1));
}

std::string kernel_series() {
  utsname kernel{};
  ::uname(&kernel);
  return kernel_series(std::string(kernel.release));
}

}  // namespace kubecni::bench
