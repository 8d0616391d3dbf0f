#include "base/file.hpp"
#include "dataplane/bpf_fs.hpp"
#include "dataplane/hook.hpp"
#include "dataplane/program_object.hpp"
#include "doctor/examine.hpp"

#include <linux/capability.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace kubecni {

namespace {

constexpr int kOldestMajor = 6;
constexpr int kOldestMinor = 1;

Finding kernel_version() {
  utsname name{};
  int major = 0;
  int minor = 0;
  if (::uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &major, &minor) != 2)
    return {"kernel", Verdict::kUnknown, "its version cannot be read", ""};
  const std::string release = name.release;
  if (std::pair(major, minor) < std::pair(kOldestMajor, kOldestMinor))
    return {"kernel", Verdict::kMissing, release, "use Linux 6.1 or later"};
  if (!has_tcx())
    return {"kernel", Verdict::kOk, release + ", without tcx: programs are held by filters", ""};
  return {"kernel", Verdict::kOk, release + ", with tcx", ""};
}

/// The rights in CapEff of /proc/self/status; none if it cannot be read.
std::uint64_t effective_capabilities() {
  const std::string status = read_file("/proc/self/status").value_or("");
  const auto at = status.find("CapEff:");
  return at == status.npos ? 0 : std::strtoull(status.c_str() + at + 7, nullptr, 16);
}

Finding rights() {
  const std::uint64_t have = effective_capabilities();
  const auto has = [&](unsigned capability) { return (have >> capability & 1) != 0; };
  constexpr const char* kRemedy = "run it as root, and in a container with these capabilities";
  if (!has(CAP_NET_ADMIN) || (!has(CAP_BPF) && !has(CAP_SYS_ADMIN)))
    return {"rights", Verdict::kMissing,
            "this process lacks CAP_NET_ADMIN, or CAP_BPF and CAP_SYS_ADMIN", kRemedy};
  std::string lacking;
  if (!has(CAP_SYS_ADMIN)) lacking += "; without CAP_SYS_ADMIN conntrack cannot be asked";
  if (!has(CAP_NET_RAW)) lacking += "; without CAP_NET_RAW checksums in the tunnel are not tested";
  if (lacking.empty()) return {"rights", Verdict::kOk, "all that are needed", ""};
  return {"rights", Verdict::kLimited, lacking.substr(2), kRemedy};
}

Finding types() {
  constexpr const char* kTypes = "/sys/kernel/btf/vmlinux";
  if (::access(kTypes, R_OK) == 0) return {"BTF", Verdict::kOk, kTypes, ""};
  return {"BTF", Verdict::kLimited,
          std::string(kTypes) + " is missing: conntrack cannot be asked about flows",
          "use a kernel with CONFIG_DEBUG_INFO_BTF=y"};
}

Finding jit() {
  constexpr const char* kSetting = "/proc/sys/net/core/bpf_jit_enable";
  const auto value = read_file(kSetting);
  if (!value) return {"JIT", Verdict::kOk, "shows in the host's network namespace alone", ""};
  if (!value->starts_with("0")) return {"JIT", Verdict::kOk, "on", ""};
  return {"JIT", Verdict::kLimited, "off: programs are interpreted",
          "sysctl -w net.core.bpf_jit_enable=1"};
}

Finding bpf_file_system(const std::filesystem::path& bpffs) {
  for (std::filesystem::path path = bpffs; path.has_relative_path(); path = path.parent_path()) {
    if (is_on_bpffs(path)) return {"bpffs", Verdict::kOk, "mounted, " + path.string(), ""};
  }
  return {"bpffs", Verdict::kLimited,
          "none is mounted for " + bpffs.string() + "; kube-cni mounts one, but not in a container",
          "mount -t bpf bpf /sys/fs/bpf on the host"};
}

Finding programs() {
  auto tried = try_programs();
  if (!tried)
    return {"programs", Verdict::kMissing, tried.error().what,
            "see what the kernel says, and \"rights\"; until then pods take the kernel path"};
  if (tried->empty())
    return {"programs", Verdict::kOk, "the kernel takes them, and answers for conntrack", ""};
  return {"programs", Verdict::kLimited, *tried, "modprobe nf_conntrack"};
}

}  // namespace

Findings examine_kernel() { return {kernel_version(), rights(), types(), jit()}; }

Findings examine_programs(const std::filesystem::path& bpffs) {
  return {bpf_file_system(bpffs), programs()};
}

}  // namespace kubecni
