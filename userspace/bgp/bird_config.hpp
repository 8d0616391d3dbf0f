#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

/// A BGP session of one family: the routes of a family come by a session of the same.
struct BirdSession {
  std::string node;  ///< who is at the other end; empty: no node of the cluster
  IpAddr local;      ///< an address of this node
  IpAddr peer;
  std::uint32_t peer_as = 0;
  std::uint16_t peer_port = 0;  ///< TCP
  bool is_on_link = false;      ///< the peer is a neighbour, and routes by it need no other hop
  std::filesystem::path password_file;  ///< empty: no password
  std::string password = {};            ///< in it
  std::vector<IpNet> accepted;          ///< the only networks to which it may tell routes
  bool is_next_hop = false;             ///< and only by itself

  bool operator==(const BirdSession&) const = default;
};

/// A host behind a router, by which routes may lead.
struct BirdNextHop {
  IpAddr address;
  IpAddr gateway;           ///< the router, on a link of this node
  std::string device = {};  ///< of that link

  bool operator==(const BirdNextHop&) const = default;
};

/// All that BIRD has to do on a node: announce `announced`, and put what `sessions` tell into a
/// table of the kernel.
struct BirdConfig {
  IpAddr router_id;  ///< IPv4
  std::uint32_t as = 0;
  std::uint16_t port = 0;  ///< TCP, that this node listens on
  unsigned hold_time = 0;  ///< seconds
  unsigned keepalive_time = 0;
  unsigned kernel_table = 0;
  std::filesystem::path log;
  std::vector<std::string> ignored_devices;  ///< patterns; no next hop is there
  std::vector<IpNet> announced;
  std::vector<BirdNextHop> next_hops;
  std::vector<BirdSession> sessions;

  bool operator==(const BirdConfig&) const = default;
};

/// The name of the session's protocol in BIRD: the same as long as the peer has its address, so
/// that a change of others does not touch it.
std::string protocol_name(const BirdSession& session);

/// The content of BIRD's configuration file. Source: BIRD User's Guide 2.0. Pure.
std::string config_text(const BirdConfig& config);

/// Sets the password of each session that has a file for it: the first line. No error has the
/// password in it.
/// Errors: those of read_file(); EINVAL it is empty, longer than 80 bytes (TCP_MD5SIG_MAXKEYLEN),
/// or has a character that BIRD's configuration cannot have in quotes.
Result<> read_passwords(BirdConfig& config);

}  // namespace kubecni
