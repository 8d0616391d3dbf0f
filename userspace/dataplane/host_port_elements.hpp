#pragma once

#include "dataplane/host_port_table.hpp"
#include "net/nft_batch.hpp"

#include <span>
#include <string>

namespace kubecni {

/// The maps and the set of one family in the table of host ports.
struct HostPortFamily {
  int number;  ///< AF_INET or AF_INET6
  NftType address;
  std::string ports;          ///< map: protocol and port
  std::string address_ports;  ///< map: address, protocol and port
  std::string pods;           ///< set: a pod's address, twice
};

/// Of both families.
std::span<const HostPortFamily> host_port_families();

/// The commands that make the elements `before` the elements `after`.
void add_element_changes(NftBatch& batch, const HostPortElements& before,
                         const HostPortElements& after);

}  // namespace kubecni
