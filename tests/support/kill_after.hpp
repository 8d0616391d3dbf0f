#pragma once

namespace kubecni::test {

/// Exit status of kill_after when the program ended before the step at which it was to be
/// killed.
inline constexpr int kEndedBefore = 3;

}  // namespace kubecni::test
