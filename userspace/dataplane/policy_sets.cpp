#include "dataplane/policy_sets.hpp"

namespace kubecni {

namespace {

std::string digit_of(const IpAddr& address) { return address.is_v4() ? "4" : "6"; }

}  // namespace

std::string known_set_of(const IpAddr& address) { return "known" + digit_of(address); }

std::string closed_set_of(const IpAddr& address) { return "closed" + digit_of(address); }

AddressElements policy_keys_of(const IpAddr& address) {
  const std::string digit = digit_of(address);
  AddressElements keys{{known_set_of(address), {{.key = {address}}}},
                       {closed_set_of(address), {{.key = {address}}}},
                       {"self" + digit, {{.key = {address, address}}}}};
  for (const char* map : {"ingress", "egress"})
    for (const char* way : {"", "r"}) keys[map + digit + way] = {{.key = {address}}};
  return keys;
}

}  // namespace kubecni
