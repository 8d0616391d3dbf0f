#pragma once

#include <chrono>
#include <string>

namespace kubecni::test {

/// The path of one of our programs ("kube-cni"): in the folder $KUBECNI_BIN, if that is
/// set, else as it was built with the tests.
std::string program(const std::string& name);

/// Limit for what kube-cnid does without waiting for its next round, which comes every 10 s, on a
/// machine that runs other tests, too. Programs of $KUBECNI_BIN have sanitizers: their rounds are
/// slow, and the daemon rests long after a slow one, so there it is no limit.
std::chrono::seconds at_once();

}  // namespace kubecni::test
