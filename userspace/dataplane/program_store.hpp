#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "dataplane/hook.hpp"

#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

namespace kubecni {

/// The pinned programs of a node for some kinds of devices. Attached programs outlive the process.
class ProgramStore {
 public:
  /// Opens what is pinned below `bpffs`. Errors: ENOENT one of them is not.
  static Result<ProgramStore> open(const std::filesystem::path& bpffs,
                                   std::initializer_list<kubecni_device> kinds);

  /// Attaches one of the programs like attach() of hook.hpp, or updates it.
  /// Errors: those of hook.hpp; ENOENT the program is for another kind of device.
  [[nodiscard]] Result<AttachKind> attach(const Program& program, const Device& device,
                                          AttachKind preferred = AttachKind::kTcx) const;
  /// Attaches all programs for a device of this kind.
  [[nodiscard]] Result<AttachKind> attach(kubecni_device kind, const Device& device,
                                          AttachKind preferred = AttachKind::kTcx) const;

  /// The programs for the kind that are not attached to the device in their pinned version.
  [[nodiscard]] Result<std::vector<std::string>> missing(kubecni_device kind,
                                                         const Device& device) const;
  [[nodiscard]] Result<bool> is_attached(kubecni_device kind, const Device& device) const;

  /// Whether the programs ask the kernel's conntrack who carries a flow. If not, a flow that the
  /// kernel carried once stays there while its entry lasts.
  [[nodiscard]] Result<bool> asks_conntrack() const;

 private:
  struct Opened {
    Program program;
    UniqueFd fd;
  };
  explicit ProgramStore(std::filesystem::path links) : links_(std::move(links)) {}

  std::filesystem::path links_;
  std::vector<Opened> opened_;
};

/// Detaches every version of the programs for the kind from the device. Needs no store; absent
/// programs or devices are fine.
Result<> detach_programs(const std::filesystem::path& bpffs, kubecni_device kind,
                         const Device& device);

/// Whether any version of them is attached.
Result<bool> is_any_held(const std::filesystem::path& bpffs, kubecni_device kind,
                         const Device& device);

}  // namespace kubecni
