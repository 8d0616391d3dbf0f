#include "control/bgp/bgp_controller.hpp"

#include "net/netlink.hpp"
#include "net/route.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace kubecni {

namespace {

// A BIRD that ends at once is not started in a loop.
constexpr std::chrono::seconds kStartInterval{2};
// One that does not answer is not waited for in each round, and what it has refused is tried again:
// the cause may be gone.
constexpr std::chrono::seconds kSickInterval{30};
constexpr std::chrono::seconds kPortInterval{2};

Result<> delete_learned_routes() {
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  auto routes = list_routes(*netlink);
  if (!routes) return fail(routes);
  for (const Route& route : *routes)
    if (route.table == kBgpTable && route.protocol == RTPROT_BIRD)
      if (auto deleted = delete_route(*netlink, route); !deleted) return deleted;
  return {};
}

std::string name_of(const BgpSession& session) {
  return session.peer.str() + (session.node.empty() ? "" : " (" + session.node + ")");
}

}  // namespace

void BgpController::write_config(BirdConfig wanted, Outcome& outcome) {
  if (auto read = read_passwords(wanted); !read) return outcome.fail(read.error().what);
  const std::string text = config_text(wanted);
  if (text == bird_.config()) return;
  if (text == refused_ && Clock::now() < ask_again_) return outcome.fail(refused_why_);
  auto replaced = bird_.replace_config(text);
  if (!replaced) {
    refused_ = text;
    refused_why_ = replaced.error().what;
    ask_again_ = Clock::now() + kSickInterval;
  }
  outcome.apply(replaced, "BIRD's configuration written");
}

bool BgpController::ensure_running(bool has_routes, Outcome& outcome) {
  if (bird_.is_connected()) return true;
  loaded_.clear();
  auto connected = bird_.connect();
  if (!connected) return has_failed(connected.error(), outcome);
  if (*connected) return true;
  const auto now = Clock::now();
  if (now < next_start_) {
    outcome.again_in = std::chrono::ceil<std::chrono::milliseconds>(next_start_ - now);
    return false;
  }
  next_start_ = now + kStartInterval;
  auto started = bird_.start(has_routes);
  if (started) loaded_ = bird_.config();
  outcome.apply(started, has_routes ? "BIRD started, with graceful restart" : "BIRD started");
  return started.has_value();
}

/// BIRD's answer to "configure" does not wait until it is done; it ends no session that stays.
bool BgpController::load_config(Outcome& outcome) {
  const std::string text = bird_.config();
  if (text == loaded_) return true;
  auto done = bird_.ask("configure");
  if (!done) return has_failed(done.error(), outcome);
  loaded_ = text;
  outcome.changes.emplace_back("BIRD's configuration loaded");
  return true;
}

/// BIRD has disabled the session, and does not try again by itself.
void BgpController::retry_port(const BirdConfig& wanted, const BirdSession& session,
                               Outcome& outcome) {
  outcome.fail("BIRD cannot listen on " + session.local.str() + " port " +
               std::to_string(wanted.port) +
               " for BGP: another program has it, the address is not on this node yet, or the "
               "container lacks NET_BIND_SERVICE; end that program, set --bgp-port on all nodes, "
               "or use deploy/overlays/bgp");
  outcome.again_in = kPortInterval;
  auto asked = bird_.ask("enable " + protocol_name(session));
  if (!asked) outcome.fail(asked.error().what);
}

void BgpController::read_sessions(const BirdConfig& wanted, Outcome& outcome) {
  auto answer = bird_.ask("show protocols");
  if (!answer) return void(has_failed(answer.error(), outcome));
  const auto protocols = protocols_in(*answer);
  std::vector<BgpSession> sessions;
  for (const BirdSession& session : wanted.sessions) {
    BgpSession found{session.node, session.peer, session.peer_as, "not configured yet"};
    const std::string name = protocol_name(session);
    const auto protocol = std::ranges::find_if(
        protocols, [&](const BirdProtocol& one) { return "'" + one.name + "'" == name; });
    if (protocol != protocols.end()) {
      found.state = session_state(*protocol);
      if (lacks_port(*protocol)) retry_port(wanted, session, outcome);
    }
    const bool is_news = std::ranges::find(sessions_, found) == sessions_.end();
    if (is_news)
      outcome.changes.push_back("BGP session with " + name_of(found) + ": " + found.state);
    sessions.push_back(std::move(found));
  }
  sessions_ = std::move(sessions);
}

void BgpController::sync(BirdConfig wanted, bool has_routes, Outcome& outcome) {
  if (Clock::now() < sick_until_) return outcome.fail(sick_why_);
  write_config(wanted, outcome);
  if (bird_.config().empty()) return;
  const bool answers = ensure_running(has_routes, outcome) && load_config(outcome);
  answers ? read_sessions(wanted, outcome) : sessions_.clear();
}

/// Notes an answer that did not come.
bool BgpController::has_failed(const Error& error, Outcome& outcome) {
  if (error.code == ETIMEDOUT) {
    sick_until_ = Clock::now() + kSickInterval;
    sick_why_ = error.what;
  }
  outcome.fail(error.what);
  return false;
}

void BgpController::stop(Outcome& outcome) {
  if (!bird_.has_files() || Clock::now() < sick_until_) return;
  auto stopped = bird_.stop();
  if (!stopped) return void(has_failed(stopped.error(), outcome));
  sessions_.clear();
  loaded_.clear();
  outcome.apply(delete_learned_routes(), "BIRD ended, and its routes deleted");
  // Last: a daemon that is killed here does the rest the next time.
  if (auto removed = bird_.remove_files(); !removed) outcome.fail(removed.error().what);
}

}  // namespace kubecni
