#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace kubecni {

/// Why something failed: a positive errno to branch on, and a sentence for people that says what
/// was tried, on what, and why it failed.
struct Error {
  int code;
  std::string what;

  /// The same error seen from one level up: "ADD: attach from_pod to veth1a2b: ...".
  [[nodiscard]] Error in(std::string_view context) &&;
};

template <typename T = void>
using Result = std::expected<T, Error>;

/// A failed system call: `what` gets the errno's own text appended.
[[nodiscard]] std::unexpected<Error> sys_error(int code, std::string_view what);

/// A failure that `what` explains in full, so that no errno text is appended.
[[nodiscard]] std::unexpected<Error> failure(int code, std::string what);

/// Passes the error of `failed` on, with the caller's context.
template <typename T>
[[nodiscard]] std::unexpected<Error> fail(Result<T>& failed, std::string_view context) {
  return std::unexpected(std::move(failed.error()).in(context));
}

/// Passes the error of `failed` on unchanged.
template <typename T>
[[nodiscard]] std::unexpected<Error> fail(Result<T>& failed) {
  return std::unexpected(std::move(failed.error()));
}

}  // namespace kubecni
