#pragma once

namespace kubecni::test {

/// Exit status of kill_after if the program ended before the step.
inline constexpr int kEndedBefore = 3;

}  // namespace kubecni::test
