#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "control/probe/answer_budget.hpp"
#include "control/probe/probe_table.hpp"
#include "net/udp_packet.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace kubecni {

/// This node, as its questions and answers name it.
struct ProbeSelf {
  std::vector<IpNet> nets;             ///< its probe addresses, with the prefixes of its PodCIDRs
  std::vector<IpAddr> node_addresses;  ///< its InternalIPs, the first of each family
  std::uint16_t port = 0;              ///< UDP, where it answers
  std::uint16_t tunnel_port = 0;       ///< UDP
  std::uint32_t vni = 0;
  MacAddr tunnel_mac;

  bool operator==(const ProbeSelf&) const = default;
};

/// Asks other nodes and answers them, on a thread of its own.
///
/// Questions leave from ports of their own, and answers from `port`. So the questions of two nodes
/// to each other are two flows for a stateful firewall, and none opens it for the other.
///
/// Nobody can make a node look dead or alive: an answer counts if it has the bytes of a question,
/// and comes from whom was asked. Questions are answered if they come from a known node's address,
/// a bounded number a second, of each and of all, each with as many bytes. What has another form of
/// source address does not even get into the socket's buffer, so that a pod cannot fill it.
class Prober {
 public:
  /// `netns_fd` is the namespace of the ProbePod. Runs in the node's namespace. Errors: those of
  /// making sockets; EAGAIN no thread. An own address that is on no device is left out. `table`
  /// outlives the prober, and belongs to it until then.
  static Result<std::unique_ptr<Prober>> start(int netns_fd, const ProbeSelf& self,
                                               ProbeTable& table);
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;
  ~Prober();

  /// Own addresses at which it neither asks nor answers, and why.
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

  // From the loop's thread.
  void set_targets(std::vector<ProbeTarget> targets, const ProbeFacts& facts);
  [[nodiscard]] ProbeReport report() const;
  /// Readable when report() says something new.
  [[nodiscard]] int news_fd() const { return news_.get(); }
  void take_news() const;

 private:
  struct Socket {
    UniqueFd fd;
    int family = 0;
    bool is_pods = false;    ///< in the probe's namespace
    bool asks = false;       ///< else it answers
    std::uint16_t port = 0;  ///< its own
  };

  Prober(ProbeSelf self, ProbeTable& table);
  Result<> open_at(const IpAddr& own, bool is_pods);
  Result<> open_in_pod();
  void run();
  void ask();
  void send(const ProbeTarget& target, const ProbeMessage& question);
  void send_in_tunnel(const ProbeTarget& target, const ProbeMessage& message,
                      const UdpPorts& ports);
  void send_directly(const ProbeTarget& target, const ProbeMessage& question,
                     const UdpPorts& ports);
  void read(const Socket& socket);
  void read_refusals(const Socket& socket);
  void answer(const Socket& socket, ProbeMessage question, const IpAddr& from,
              std::uint16_t from_port);
  [[nodiscard]] const IpNet* own_net(int family) const;
  [[nodiscard]] const Socket* find_asking(int family, bool is_pods) const;

  const ProbeSelf self_;
  std::vector<Socket> sockets_;
  std::vector<Socket> tunnels_;  ///< from the node's own addresses, to tunnels
  UniqueFd packets_;             ///< frames on a device
  std::vector<std::string> problems_;
  UniqueFd wake_;
  UniqueFd news_;
  std::atomic<bool> stopping_ = false;

  mutable std::mutex mutex_;
  ProbeTable& table_;  // guarded by mutex_
  ProbeFacts facts_;   // guarded by mutex_

  // Of the thread alone.
  std::uint64_t told_ = 0;
  AnswerBudget budget_;
  ProbeTable::Clock::time_point ask_at_{};
  ProbeTable::Clock::time_point read_at_{};
  std::thread thread_;
};

}  // namespace kubecni
