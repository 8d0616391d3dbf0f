#pragma once

#include "dataplane/program.hpp"

namespace kubecni::test {

// The programs by name, for tests of one of them.
inline constexpr Program kFromPod = kPrograms[KUBECNI_PROGRAM_FROM_POD];
inline constexpr Program kToPod = kPrograms[KUBECNI_PROGRAM_TO_POD];
inline constexpr Program kFromWire = kPrograms[KUBECNI_PROGRAM_FROM_WIRE];
inline constexpr Program kToWire = kPrograms[KUBECNI_PROGRAM_TO_WIRE];
inline constexpr Program kFromTunnel = kPrograms[KUBECNI_PROGRAM_FROM_TUNNEL];
inline constexpr Program kToTunnel = kPrograms[KUBECNI_PROGRAM_TO_TUNNEL];

}  // namespace kubecni::test
