#pragma once

#include <string>

namespace kubecni::test {

/// The path of one of our programs ("kube-cni"): in the folder $KUBECNI_BIN, if that is
/// set, else as it was built with the tests.
std::string program(const std::string& name);

}  // namespace kubecni::test
