#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "control/probe/probe_message.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// The pods of one family on another node, as this node reaches them.
struct ProbeTarget {
  /// Straight over a link to the node.
  struct Direct {
    unsigned ifindex = 0;
    IpAddr next_hop;
    auto operator<=>(const Direct&) const = default;
  };
  /// The other end of the tunnel.
  struct Tunnel {
    IpAddr endpoint;
    MacAddr mac;
    auto operator<=>(const Tunnel&) const = default;
  };

  std::string node;
  IpAddr address;                           ///< its probe address
  IpAddr node_address;                      ///< its InternalIP that is asked
  std::vector<IpAddr> node_addresses = {};  ///< all InternalIPs: it may ask from another
  bool can_ask_node = true;                 ///< this node has a socket for it
  bool by_tunnel = false;
  /// The other ways, where this node may choose between them.
  std::optional<Direct> direct;
  std::optional<Tunnel> tunnel;

  [[nodiscard]] bool has_choice() const { return direct && tunnel; }
  auto operator<=>(const ProbeTarget&) const = default;
};

/// A node and the family of its pods.
using ProbeKey = std::pair<std::string, int>;

enum class ProbeVerdict {
  kUnknown,    ///< it has never answered
  kAnswering,  ///< packets between pods get there and back
  kSilent,     ///< they do not, though it could answer
};

/// What is known of a target that does not answer, or of one that is reached another way.
struct ProbeFinding {
  std::string node;
  IpAddr address;
  ProbeVerdict verdict = ProbeVerdict::kUnknown;
  std::chrono::system_clock::time_point since;
  bool by_tunnel = false;
  bool is_detour = false;
  bool is_node_up = false;  ///< it answers at its own address
  std::string cause;

  auto operator<=>(const ProbeFinding&) const = default;
};

/// "its IPv4 pods are not reached over the link: CAUSE".
std::string text_of(const ProbeFinding& finding);

struct ProbeReport {
  std::size_t answering = 0;
  std::size_t silent = 0;
  std::size_t unknown = 0;
  std::vector<ProbeFinding> findings;
  std::set<ProbeKey> detours;  ///< reach these through the tunnel

  bool operator==(const ProbeReport&) const = default;
};

/// What this node knows of itself that explains why nobody answers.
struct ProbeFacts {
  bool drops_forwarded = false;  ///< a chain here drops what is forwarded
  std::uint16_t probe_port = 0;
  std::uint16_t tunnel_port = 0;
};

/// Who answered a question with an ICMP error.
struct ProbeRefusal {
  IpAddr by;
  bool is_firewall = false;  ///< else it has no way to go on

  auto operator<=>(const ProbeRefusal&) const = default;
};

/// Which node is asked when, and what follows from the answers.
///
/// All targets take turns, kTurnsPerSecond of them a second. One that did not answer is asked again
/// soon, and by other ways, too, which tells what is wrong; that has a bound, too. So the packets a
/// second do not grow with the cluster.
///
/// A node is silent after kLossesToBeSilent questions in a row without an answer, and answers again
/// after kAnswersToBeBack in a row. Where this node may choose, a silent node that answers through
/// the tunnel is reached through it. Direct comes back when that gets through kDirectToComeBack
/// times in a row, not before a time that doubles with each change. A detour that does not help, as
/// where a firewall drops what is forwarded, ends after kLossesToGiveUp, and none begins for
/// kLongestHold. No I/O.
class ProbeTable {
 public:
  using Clock = std::chrono::steady_clock;
  using MakeNonce = ProbeNonce (*)();

  static constexpr std::chrono::milliseconds kTick{500};
  static constexpr std::chrono::milliseconds kPatience{1'000};
  static constexpr std::chrono::milliseconds kLeastInterval{2'000};
  static constexpr std::chrono::milliseconds kSoon{1'000};
  static constexpr std::chrono::milliseconds kSilentInterval{4'000};
  static constexpr std::chrono::milliseconds kLongSilentInterval{16'000};
  static constexpr int kTurnsPerTick = 2;
  static constexpr int kRepeatsPerTick = 4;
  static constexpr unsigned kLossesToBeSilent = 3;
  static constexpr unsigned kLossesToSlowDown = 10;
  static constexpr unsigned kLossesToBeRare = 20;
  static constexpr unsigned kAnswersToBeBack = 2;
  static constexpr unsigned kTunnelToDetour = 2;
  static constexpr unsigned kDirectToComeBack = 5;
  static constexpr unsigned kLossesToGiveUp = 6;
  static constexpr std::chrono::seconds kFirstHold{10};
  static constexpr std::chrono::seconds kLongestHold{600};

  explicit ProbeTable(MakeNonce make_nonce) : make_nonce_(make_nonce) {}

  /// Targets that stay keep what is known of them. A new one that is reached through the tunnel,
  /// though there is a choice, is on a detour that an earlier process began.
  void set_targets(std::vector<ProbeTarget> targets);

  struct Question {
    const ProbeTarget* target;  ///< until set_targets()
    ProbeMessage message;
  };
  /// What to ask now; call it every kTick. Counts what was not answered in time.
  std::vector<Question> ask(Clock::time_point now);
  /// How long nothing has to be done.
  [[nodiscard]] std::chrono::milliseconds idle() const;

  /// Takes the answer that came from `from`. False: nobody asked for it.
  bool take_answer(const ProbeMessage& answer, const IpAddr& from, Clock::time_point now);
  /// Notes what an ICMP error says of a question, unless the target itself sent it.
  void take_refusal(const ProbeMessage& question, const ProbeRefusal& refusal);

  /// Whether `address` is a node's: of `way`, its probe address or its own.
  [[nodiscard]] const ProbeTarget* find_asker(const IpAddr& address, ProbeWay way) const;

  [[nodiscard]] ProbeReport report(const ProbeFacts& facts) const;
  /// Changes whenever report() may have other findings or detours. A node that answers for the
  /// first time is no reason to look: thousands do after a start.
  [[nodiscard]] std::uint64_t version() const { return version_; }

 private:
  struct State {
    ProbeTarget target;
    ProbeVerdict verdict = ProbeVerdict::kUnknown;
    std::chrono::system_clock::time_point since = std::chrono::system_clock::now();
    unsigned lost = 0;  ///< kPods, in a row
    unsigned good = 0;  ///< likewise
    Clock::time_point asked_at{};
    bool is_suspect = false;
    unsigned node_good = 0;
    unsigned node_lost = 0;
    ProbeFlags flags;  ///< of its last answer
    unsigned tunnel_good = 0;
    unsigned direct_good = 0;
    std::optional<ProbeRefusal> refused;
    bool is_detour = false;
    Clock::time_point detour_since{};
    std::chrono::seconds hold = kFirstHold;
    Clock::time_point came_back_at{};
    Clock::time_point no_detour_before{};
  };
  /// Where `states_` has the target of an address.
  struct Place {
    IpAddr address;
    std::uint32_t index;
    auto operator<=>(const Place&) const = default;
  };
  struct Pending {
    std::size_t index;
    ProbeWay way;
    Clock::time_point sent_at;
  };

  static void tidy_up(std::vector<Place>& places);
  [[nodiscard]] bool can_answer(const State& state) const;
  static bool never_answers(const State& state);
  /// Whether report() names it.
  static bool is_finding(const State& state);
  static std::chrono::milliseconds interval_of(const State& state);
  /// Its daemon answers in one of the other ways.
  static bool is_up(const State& state);
  void put(std::size_t index, ProbeWay way, Clock::time_point now, std::vector<Question>& out);
  void ask_one(std::size_t index, Clock::time_point now, std::vector<Question>& out);
  void expire(Clock::time_point now);
  void lose(State& state, ProbeWay way);
  void judge(std::size_t index, Clock::time_point now);
  void set_verdict(State& state, ProbeVerdict verdict);
  [[nodiscard]] std::string cause_of(const State& state, const ProbeFacts& facts) const;

  MakeNonce make_nonce_;
  std::vector<State> states_;
  std::vector<Place> by_address_;       // sorted
  std::vector<Place> by_node_address_;  // sorted; of an address of several targets, any
  std::set<std::size_t> suspects_;
  std::size_t next_turn_ = 0;
  std::size_t next_suspect_ = 0;
  std::map<ProbeNonce, Pending> pending_;
  std::deque<std::pair<Clock::time_point, ProbeNonce>> sent_;
  std::uint64_t version_ = 0;
};

}  // namespace kubecni
