#include "bgp/bird_config.hpp"

#include "base/file.hpp"
#include "base/text.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace kubecni {

namespace {

constexpr std::size_t kLogBytes = 1 << 20;
constexpr std::size_t kLongestPassword = 80;

std::string in_quotes(std::string_view text) { return "\"" + std::string(text) + "\""; }
std::string digit_of(int family) { return family == AF_INET ? "4" : "6"; }

std::vector<IpNet> of_family(const std::vector<IpNet>& nets, int family) {
  std::vector<IpNet> found;
  std::ranges::copy_if(nets, std::back_inserter(found),
                       [&](const IpNet& net) { return net.addr.family() == family; });
  return found;
}

std::string head(const BirdConfig& config) {
  return "# Written by kube-cnid, which replaces it when the cluster or the settings change.\n"
         "log " +
         in_quotes(config.log.string()) + " " + std::to_string(kLogBytes) + " " +
         in_quotes(config.log.string() + ".1") +
         " { info, remote, warning, error, auth, fatal, bug };\n"
         "router id " +
         config.router_id.str() +
         ";\n"
         "graceful restart wait 30;\n"
         "protocol device { scan time 10; }\n";
}

/// The table in which next hops are looked up. Not the kernel's main table: another BIRD on this
/// node may keep its routes there, and each would remove those of the other.
std::string next_hops(const BirdConfig& config, int family) {
  const std::string digit = digit_of(family);
  std::string devices;
  for (const std::string& device : config.ignored_devices)
    devices += "-" + in_quotes(device) + ", ";
  std::string text = "\nipv" + digit + " table hops" + digit + ";\n";
  text += "protocol direct links" + digit + " { ipv" + digit + " { table hops" + digit +
          "; }; interface " + devices + "\"*\"; }\n";
  text +=
      "protocol static routers" + digit + " {\n  ipv" + digit + " { table hops" + digit + "; };\n";
  for (const BirdNextHop& hop : config.next_hops)
    if (hop.address.family() == family)
      text += "  route " + IpNet{hop.address, hop.address.bits()}.str() + " via " +
              hop.gateway.str() + (hop.gateway.is_link_local() ? "%'" + hop.device + "'" : "") +
              ";\n";
  return text + "}\n";
}

std::string announced(const BirdConfig& config, int family) {
  const std::string digit = digit_of(family);
  std::string text = "protocol static pods" + digit + " {\n  ipv" + digit + ";\n";
  for (const IpNet& net : of_family(config.announced, family))
    text += "  route " + net.str() + " blackhole;\n";
  return text + "}\n";
}

/// Routes stay when BIRD ends, and when it comes back until it has heard from all peers. One whose
/// next hop is not known would be "unreachable" in the kernel, before the way through the tunnel.
std::string kernel(const BirdConfig& config, int family) {
  const std::string digit = digit_of(family);
  return "protocol kernel kernel" + digit +
         " {\n"
         "  kernel table " +
         std::to_string(config.kernel_table) +
         ";\n"
         "  scan time 10;\n"
         "  persist;\n"
         "  graceful restart;\n"
         "  ipv" +
         digit +
         " { import none; export where source = RTS_BGP && dest = RTD_UNICAST; };\n"
         "}\n";
}

std::string import_of(const BirdSession& session) {
  const auto nets = of_family(session.accepted, session.peer.family());
  if (nets.empty()) return "import none";
  const std::string next_hop =
      session.is_next_hop ? " && bgp_next_hop = " + session.peer.str() : "";
  return "import where net ~ [ " + joined(nets) + " ]" + next_hop;
}

std::string session_text(const BirdConfig& config, const BirdSession& session) {
  const std::string digit = digit_of(session.peer.family());
  std::string text = "protocol bgp " + protocol_name(session) + " {\n" + "  local " +
                     session.local.str() + " port " + std::to_string(config.port) + " as " +
                     std::to_string(config.as) + ";\n" + "  neighbor " + session.peer.str() +
                     " port " + std::to_string(session.peer_port) + " as " +
                     std::to_string(session.peer_as) + ";\n" + "  strict bind;\n" +
                     (session.is_on_link ? "  direct;\n" : "  multihop;\n") + "  hold time " +
                     std::to_string(config.hold_time) + ";\n" + "  keepalive time " +
                     std::to_string(config.keepalive_time) + ";\n" +
                     "  connect delay time 1;\n"
                     "  connect retry time 5;\n"
                     "  error wait time 1, 30;\n"
                     "  graceful restart;\n";
  // All nodes are of one system, so a router of another tells nodes the paths of each other. They
  // pass nothing on that could come back.
  if (session.peer_as != config.as) text += "  allow local as 1;\n";
  if (!session.password.empty()) text += "  password " + in_quotes(session.password) + ";\n";
  return text + "  ipv" + digit + " {\n" + "    igp table hops" + digit + ";\n" +
         "    next hop self;\n"
         "    " +
         import_of(session) +
         ";\n"
         "    export where source = RTS_STATIC;\n"
         "  };\n}\n";
}

}  // namespace

std::string protocol_name(const BirdSession& session) {
  return std::string(session.node.empty() ? "'peer_" : "'node_") + session.peer.str() + "'";
}

std::string config_text(const BirdConfig& config) {
  std::string text = head(config);
  for (const int family : {AF_INET, AF_INET6}) {
    text += next_hops(config, family);
    text += announced(config, family);
    text += kernel(config, family);
  }
  for (const BirdSession& session : config.sessions) text += "\n" + session_text(config, session);
  return text;
}

Result<> read_passwords(BirdConfig& config) {
  for (BirdSession& session : config.sessions) {
    if (session.password_file.empty()) continue;
    const auto wrong = [&](const std::string& why) {
      return failure(EINVAL, "password of the BGP session with " + session.peer.str() + ": " +
                                 session.password_file.string() + " " + why);
    };
    auto text = read_file(session.password_file, 4096);
    if (!text) return fail(text, "password of the BGP session with " + session.peer.str());
    session.password = text->substr(0, text->find('\n'));
    if (session.password.empty()) return wrong("has no password in its first line");
    if (session.password.size() > kLongestPassword)
      return wrong("has a password of more than 80 bytes, and TCP MD5 takes no longer one");
    const bool is_printable = std::ranges::all_of(
        session.password, [](char c) { return c >= ' ' && c <= '~' && c != '"'; });
    if (!is_printable)
      return wrong("has a password with a quotation mark, or with characters that are not ASCII");
  }
  return {};
}

}  // namespace kubecni
