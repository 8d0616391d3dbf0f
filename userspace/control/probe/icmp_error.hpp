#pragma once

#include "base/ip.hpp"
#include "control/probe/probe_table.hpp"

#include <optional>

struct sock_extended_err;

namespace kubecni {

/// What an ICMP error about a question, from `by`, says of the way there. Empty: nothing, as an
/// error about the packet's form. Pure.
std::optional<ProbeRefusal> refusal_of(const sock_extended_err& error, const IpAddr& by);

}  // namespace kubecni
