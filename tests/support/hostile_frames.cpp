#include "support/hostile_frames.hpp"

#include "base/mac.hpp"

#include <linux/if_ether.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <functional>

namespace kubecni::test {

namespace {

constexpr std::uint8_t kMark = 0xa4;  // of the type of service, or the traffic class
constexpr std::array<std::uint8_t, 4> kTrailer{0x68, 0x6f, 0x73, 0x74};
constexpr std::uint16_t kExperimental = 0x88b5;  // IEEE 802, local experimental ethertype 1
constexpr std::uint8_t kIgmp = 2;
constexpr std::size_t kIp6 = 40;

void append(Frame& to, std::span<const std::uint8_t> bytes) {
  for (const std::uint8_t byte : bytes) to.push_back(byte);
}

/// The sender and receiver data that a message needs.
struct Roles {
  const Stage& stage;
  const Party& as;  ///< whose address is the source
  std::string mac;  ///< from which it is sent
};

struct Message {
  const char* name;
  std::function<Frame(const Roles&)> make;
  bool honest = false;         ///< if the tag, the MAC and the address are, too
  bool to_victim = true;       ///< and it reaches the victim
  bool behind_headers = true;  ///< and it may be behind extension headers, or in fragments
};

/// From `as` to the victim.
IpPacket to_victim(const Roles& roles, int family) {
  const Party& victim = roles.stage.victim;
  return {.family = family,
          .dst_mac = victim.mac,
          .src_mac = roles.mac,
          .src = (family == AF_INET ? roles.as.v4 : roles.as.v6).str(),
          .dst = (family == AF_INET ? victim.v4 : victim.v6).str()};
}

Frame udp(const Roles& roles, int family, std::uint16_t from, std::uint16_t to) {
  IpPacket packet = to_victim(roles, family);
  packet.src_port = from;
  packet.dst_port = to;
  return ip_packet(packet);
}

/// Through the node, which should route it.
Frame routed(const Roles& roles, int family) {
  return with_macs(udp(roles, family, 40000, 9), roles.stage.bridge.mac, roles.mac);
}

Frame icmp(const Roles& roles, int family, std::uint8_t type, const Frame& body = {}) {
  IpPacket packet = to_victim(roles, family);
  packet.protocol = IPPROTO_ICMP;
  packet.icmp_type = type;
  packet.icmp_body = body;
  return ip_packet(packet);
}

/// An error with an MTU of 600 about a packet of the victim to `reached`.
Frame too_big(const Roles& roles, int family, const Party& reached) {
  const bool v4 = family == AF_INET;
  const Party& victim = roles.stage.victim;
  const Frame about = ip_packet({.family = family,
                                 .src = (v4 ? victim.v4 : victim.v6).str(),
                                 .dst = (v4 ? reached.v4 : reached.v6).str(),
                                 .payload_bytes = 0});
  Frame body{0, 0, 0x02, 0x58};
  append(body, std::span(about).subspan(ETH_HLEN));
  Frame frame = icmp(roles, family, v4 ? 3 : 2, body);
  if (v4) {  // code 4, "fragmentation needed", and the sum that it changes
    frame.at(ETH_HLEN + 21) = 4;
    frame.at(ETH_HLEN + 22) = frame.at(ETH_HLEN + 23) = 0;
    const auto sum = internet_checksum(std::span(frame).subspan(ETH_HLEN + 20));
    frame.at(ETH_HLEN + 22) = static_cast<std::uint8_t>(sum >> 8);
    frame.at(ETH_HLEN + 23) = static_cast<std::uint8_t>(sum);
  }
  return frame;
}

Frame arp(const Roles& roles, std::uint16_t operation, bool gratuitous) {
  const std::string own = roles.as.v4.str();
  return arp_packet({.dst_mac = operation == 2 ? roles.stage.victim.mac : "ff:ff:ff:ff:ff:ff",
                     .src_mac = roles.mac,
                     .operation = operation,
                     .sender_mac = roles.mac,
                     .sender_ip = own,
                     .target_ip = gratuitous ? own : roles.stage.victim.v4.str()});
}

Frame nd(const Roles& roles, std::uint8_t type) {
  const bool advertises = type == 136 || type == 134 || type == 137;
  NdMessage message{.dst_mac = roles.stage.victim.mac,
                    .src_mac = roles.mac,
                    .src = roles.as.v6.str(),
                    .dst = roles.stage.victim.v6.str(),
                    .type = type,
                    .target = type == 135 ? roles.stage.victim.v6.str() : roles.as.v6.str()};
  message.options = {
      {.type = static_cast<std::uint8_t>(advertises && type != 134 ? 2 : 1), .mac = roles.mac}};
  return nd_message(message);
}

Frame query4(const Roles& roles) {
  return ip_packet({.dst_mac = "01:00:5e:00:00:01",
                    .src_mac = roles.mac,
                    .src = roles.as.v4.str(),
                    .dst = "224.0.0.1",
                    .protocol = kIgmp,
                    .ttl = 1,
                    .payload_bytes = 8});
}

Frame query6(const Roles& roles) {
  Frame body(20);  // the delay, and the address of all groups
  return ip_packet({.family = AF_INET6,
                    .dst_mac = "33:33:00:00:00:01",
                    .src_mac = roles.mac,
                    .src = roles.as.v6.str(),
                    .dst = "ff02::1",
                    .protocol = IPPROTO_ICMP,
                    .icmp_type = 130,
                    .icmp_body = body,
                    .ttl = 1});
}

/// The first payload byte of put_payload() is 1; IGMP's type of a query is 0x11.
Frame as_query(Frame frame) {
  frame.at(ETH_HLEN + 20) = 0x11;
  return frame;
}

std::vector<Message> messages(const Stage& stage) {
  const Party& own = stage.own;
  const Party other = stage.others.front();
  return {
      {"ARP request", [](auto& r) { return arp(r, 1, false); }, true},
      {"ARP reply", [](auto& r) { return arp(r, 2, false); }, true},
      {"gratuitous ARP", [](auto& r) { return arp(r, 1, true); }, true},
      {"UDP", [](auto& r) { return udp(r, AF_INET, 40000, 9); }, true},
      {"routed UDP", [](auto& r) { return routed(r, AF_INET); }, true, false},
      {"DHCP offer", [](auto& r) { return udp(r, AF_INET, 67, 68); }},
      {"echo", [](auto& r) { return icmp(r, AF_INET, 8); }, true},
      {"error about own", [own](auto& r) { return too_big(r, AF_INET, own); }, true},
      {"error about other", [other](auto& r) { return too_big(r, AF_INET, other); }},
      {"IGMP query", [](auto& r) { return as_query(query4(r)); }},
      {"UDP of IPv6", [](auto& r) { return udp(r, AF_INET6, 40000, 9); }, true},
      {"routed UDP of IPv6", [](auto& r) { return routed(r, AF_INET6); }, true, false},
      {"echo of IPv6", [](auto& r) { return icmp(r, AF_INET6, 128); }, true},
      {"error of IPv6 about own", [own](auto& r) { return too_big(r, AF_INET6, own); }, true},
      {"error of IPv6 about other", [other](auto& r) { return too_big(r, AF_INET6, other); }},
      {"NS", [](auto& r) { return nd(r, 135); }, true, true, false},
      {"NA", [](auto& r) { return nd(r, 136); }, true, true, false},
      {"RS", [](auto& r) { return nd(r, 133); }, true, true, false},
      {"RA", [](auto& r) { return nd(r, 134); }},
      {"redirect", [](auto& r) { return nd(r, 137); }},
      {"MLD query", [](auto& r) { return query6(r); }},
      {"other ethertype",
       [](auto& r) { return ethernet_frame(r.stage.victim.mac, r.mac, kExperimental, 50); }, true},
  };
}

std::uint16_t ethertype_of(const Frame& frame) {
  return static_cast<std::uint16_t>(frame.at(12) << 8 | frame.at(13));
}

/// Writes the number into fields that nothing changes on the way.
Frame numbered(Frame frame, std::size_t number) {
  const auto low = static_cast<std::uint8_t>(number);
  const auto high = static_cast<std::uint8_t>(number >> 8);
  if (ethertype_of(frame) == ETH_P_IP) {
    frame.at(ETH_HLEN + 1) = kMark;
    frame.at(ETH_HLEN + 4) = high;
    frame.at(ETH_HLEN + 5) = low;
    set_ip_checksum(frame, right_ip_checksum(frame));
  } else if (ethertype_of(frame) == ETH_P_IPV6) {
    frame.at(ETH_HLEN) = 6 << 4 | kMark >> 4;
    frame.at(ETH_HLEN + 1) = static_cast<std::uint8_t>((kMark & 0xf) << 4);
    frame.at(ETH_HLEN + 2) = high;
    frame.at(ETH_HLEN + 3) = low;
  } else {
    append(frame, kTrailer);
    append(frame, std::array{high, low});
  }
  return frame;
}

/// The IPv6 packet with `headers` between its header and `payload`; the last of them has the next
/// protocol.
Frame rebuilt6(const Frame& packet, std::uint8_t first, std::span<const std::uint8_t> headers,
               std::span<const std::uint8_t> payload) {
  Frame frame;
  append(frame, std::span(packet).first(ETH_HLEN + kIp6));
  append(frame, headers);
  append(frame, payload);
  const std::size_t length = headers.size() + payload.size();
  frame.at(ETH_HLEN + 4) = static_cast<std::uint8_t>(length >> 8);
  frame.at(ETH_HLEN + 5) = static_cast<std::uint8_t>(length);
  frame.at(ETH_HLEN + 6) = first;
  return frame;
}

Frame options_header(std::uint8_t next) { return {next, 0, 1, 4, 0, 0, 0, 0}; }  // PadN

/// Its identification has the number of `packet`, so that nobody puts fragments of several
/// together.
Frame fragment_header(const Frame& packet, std::uint8_t next, std::size_t offset, bool more) {
  return {next,
          0,
          static_cast<std::uint8_t>(offset >> 8),
          static_cast<std::uint8_t>((offset & 0xf8) | (more ? 1 : 0)),
          0x6b,
          0x63,
          packet.at(ETH_HLEN + 2),
          packet.at(ETH_HLEN + 3)};
}

Frame many_options(std::uint8_t next, unsigned count) {
  Frame all;
  for (unsigned i = 0; i < count; ++i) {
    const Frame one = options_header(i + 1 < count ? std::uint8_t{IPPROTO_DSTOPTS} : next);
    append(all, one);
  }
  return all;
}

struct Chain {
  const char* name;
  std::function<std::vector<Frame>(const Frame&)> apply;
};

std::vector<Frame> two_fragments6(const Frame& packet, std::uint8_t next,
                                  std::span<const std::uint8_t> content, std::size_t cut) {
  return {rebuilt6(packet, IPPROTO_FRAGMENT, fragment_header(packet, next, 0, true),
                   content.first(cut)),
          rebuilt6(packet, IPPROTO_FRAGMENT, fragment_header(packet, next, cut, false),
                   content.subspan(cut))};
}

const std::vector<Chain>& chains6() {
  static const auto next_of = [](const Frame& packet) { return packet.at(ETH_HLEN + 6); };
  static const auto payload_of = [](const Frame& packet) {
    return std::span(packet).subspan(ETH_HLEN + kIp6);
  };
  static const std::vector<Chain> all{
      {"plain", [](const Frame& packet) { return std::vector<Frame>{packet}; }},
      {"hop-by-hop",
       [](const Frame& packet) {
         return std::vector<Frame>{rebuilt6(packet, IPPROTO_HOPOPTS,
                                            options_header(next_of(packet)), payload_of(packet))};
       }},
      {"destination options",
       [](const Frame& packet) {
         return std::vector<Frame>{rebuilt6(packet, IPPROTO_DSTOPTS,
                                            options_header(next_of(packet)), payload_of(packet))};
       }},
      {"atomic fragment",
       [](const Frame& packet) {
         return std::vector<Frame>{rebuilt6(packet, IPPROTO_FRAGMENT,
                                            fragment_header(packet, next_of(packet), 0, false),
                                            payload_of(packet))};
       }},
      {"two fragments",
       [](const Frame& packet) {
         return two_fragments6(packet, next_of(packet), payload_of(packet), 8);
       }},
      {"two fragments, the first of options alone",
       [](const Frame& packet) {
         Frame content = options_header(next_of(packet));
         const auto payload = payload_of(packet);
         append(content, payload);
         return two_fragments6(packet, IPPROTO_DSTOPTS, content, 8);
       }},
      {"two fragments, the first of options alone, with TCP behind its end",
       [](const Frame& packet) {
         Frame content = options_header(IPPROTO_DSTOPTS);
         append(content, options_header(next_of(packet)));
         append(content, payload_of(packet));
         auto frames = two_fragments6(packet, IPPROTO_DSTOPTS, content, 8);
         append(frames.front(), options_header(IPPROTO_TCP));
         return frames;
       }},
      {"twelve headers",
       [](const Frame& packet) {
         return std::vector<Frame>{rebuilt6(packet, IPPROTO_DSTOPTS,
                                            many_options(next_of(packet), 12), payload_of(packet))};
       }},
  };
  return all;
}

std::vector<Frame> two_fragments4(const Frame& packet) {
  constexpr std::size_t kHeaders = ETH_HLEN + 20;
  constexpr std::size_t kCut = 8;
  const auto piece = [&](std::span<const std::uint8_t> content, std::size_t offset, bool more) {
    Frame frame;
    append(frame, std::span(packet).first(kHeaders));
    append(frame, content);
    const std::size_t length = 20 + content.size();
    frame.at(ETH_HLEN + 2) = static_cast<std::uint8_t>(length >> 8);
    frame.at(ETH_HLEN + 3) = static_cast<std::uint8_t>(length);
    frame.at(ETH_HLEN + 6) = more ? 0x20 : 0;
    frame.at(ETH_HLEN + 7) = static_cast<std::uint8_t>(offset / 8);
    set_ip_checksum(frame, right_ip_checksum(frame));
    return frame;
  };
  const auto content = std::span(packet).subspan(kHeaders);
  if (content.size() <= kCut) return {packet};
  return {piece(content.first(kCut), 0, true), piece(content.subspan(kCut), kCut, false)};
}

const std::vector<Chain>& chains_of(std::uint16_t ethertype) {
  static const std::vector<Chain> plain{
      {"plain", [](const Frame& packet) { return std::vector<Frame>{packet}; }}};
  static const std::vector<Chain> of_ipv4{plain.front(), {"two fragments", two_fragments4}};
  if (ethertype == ETH_P_IP) return of_ipv4;
  return ethertype == ETH_P_IPV6 ? chains6() : plain;
}

struct Tag {
  const char* name;
  Frame bytes;
  bool is_ignored = false;  ///< by a node that routes: VID 0 is a priority alone
};

const std::vector<Tag>& tags() {
  static const std::vector<Tag> all{{"no tag", {}},
                                    {"802.1Q VID 0", {0x81, 0x00, 0, 0}, true},
                                    {"802.1Q VID 5", {0x81, 0x00, 0, 5}},
                                    {"802.1ad VID 0", {0x88, 0xa8, 0, 0}, true},
                                    {"0x9100", {0x91, 0x00, 0, 0}},
                                    {"QinQ", {0x88, 0xa8, 0, 0, 0x81, 0x00, 0, 0}, true}};
  return all;
}

Frame tagged(const Frame& frame, const Tag& tag) {
  Frame with;
  append(with, std::span(frame).first(12));
  append(with, tag.bytes);
  append(with, std::span(frame).subspan(12));
  return with;
}

}  // namespace

std::vector<HostileCase> hostile_cases(const Stage& stage) {
  std::vector<HostileCase> cases;
  std::vector<Party> parties{stage.own, stage.victim, stage.bridge};
  parties.insert(parties.end(), stage.others.begin(), stage.others.end());
  const auto may_have = [&](const Tag& tag) {
    return tag.bytes.empty() || (stage.is_routed && tag.is_ignored);
  };
  const auto add = [&](const Message& message, const Party& as, const std::string& mac) {
    const Frame packet = message.make({stage, as, mac});
    const bool is_experimental = ethertype_of(packet) == kExperimental;
    if (is_experimental && as.name != stage.own.name) return;  // it has none
    for (const Chain& chain : chains_of(ethertype_of(packet))) {
      const bool plain = std::string(chain.name) == "plain";
      for (const Tag& tag : tags()) {
        HostileCase one{.name = std::string(tag.name) + ", " + message.name + ", " + chain.name +
                                ", MAC " + mac + ", address of " + as.name,
                        .frames = {}};
        for (const Frame& frame : chain.apply(numbered(packet, cases.size())))
          one.frames.push_back(tagged(frame, tag));
        one.honest = message.honest && may_have(tag) && as.name == stage.own.name &&
                     mac == stage.own.mac && (plain || message.behind_headers || stage.is_routed);
        const bool is_routed =
            message.behind_headers && ethertype_of(packet) != ETH_P_ARP && !is_experimental;
        one.arrives = one.honest && plain && tag.bytes.empty() && message.to_victim &&
                      (!stage.is_routed || is_routed);
        cases.push_back(std::move(one));
      }
    }
  };
  for (const Message& message : messages(stage))
    for (const Party& as : parties)
      for (const std::string& mac : stage.macs) add(message, as, mac);
  return cases;
}

std::optional<std::size_t> number_of(std::span<const std::uint8_t> frame) {
  // A tag that is left in the frame.
  std::size_t at = 12;
  const auto word = [&](std::size_t from) {
    return from + 1 < frame.size() ? frame[from] << 8 | frame[from + 1] : 0;
  };
  while (word(at) == ETH_P_8021Q || word(at) == ETH_P_8021AD || word(at) == 0x9100) at += 4;
  const std::size_t ip = at + 2;
  if (word(at) == ETH_P_IP && ip + 20 <= frame.size())
    return frame[ip + 1] == kMark ? std::optional<std::size_t>(word(ip + 4)) : std::nullopt;
  if (word(at) == ETH_P_IPV6 && ip + kIp6 <= frame.size()) {
    const bool marked = (word(ip) & 0x0ff0) == kMark << 4;
    return marked ? std::optional<std::size_t>(word(ip + 2)) : std::nullopt;
  }
  if (frame.size() < ETH_HLEN + kTrailer.size() + 2) return std::nullopt;
  const std::size_t trailer = frame.size() - kTrailer.size() - 2;
  if (!std::ranges::equal(frame.subspan(trailer, kTrailer.size()), kTrailer)) return std::nullopt;
  return word(trailer + kTrailer.size());
}

}  // namespace kubecni::test
