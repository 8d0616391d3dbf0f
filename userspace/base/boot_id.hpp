#pragma once

#include <string>

namespace kubecni {

/// The id of the running boot; empty if the kernel does not tell. Source: random(4).
std::string current_boot_id();

}  // namespace kubecni
