#include "net/netlink_request.hpp"
#include "net/nft_batch.hpp"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cstring>

namespace kubecni {

namespace {

/// nf_tables has its numbers in network order.
std::uint32_t to_nft(std::uint32_t value) { return htonl(value); }

/// A slot as the kernel's register.
std::uint32_t slot_register(unsigned slot) { return to_nft(NFT_REG32_00 + slot); }

unsigned nf_family(int family) { return family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6; }

}  // namespace

NftRule& NftRule::expression(const char* name, const std::function<void()>& content) {
  request_.nest(NFTA_LIST_ELEM, [&] {
    request_.put(NFTA_EXPR_NAME, std::string(name));
    request_.nest(NFTA_EXPR_DATA, content);
  });
  return *this;
}

/// Compares the slots from 0.
NftRule& NftRule::compare(unsigned operation, std::span<const std::uint8_t> value) {
  return expression("cmp", [&] {
    request_.put(NFTA_CMP_SREG, slot_register(0));
    request_.put(NFTA_CMP_OP, to_nft(operation));
    request_.nest(NFTA_CMP_DATA,
                  [&] { request_.put(NFTA_DATA_VALUE, value.data(), value.size()); });
  });
}

NftRule& NftRule::is_family(int family) {
  expression("meta", [&] {
    request_.put(NFTA_META_DREG, slot_register(0));
    request_.put(NFTA_META_KEY, to_nft(NFT_META_NFPROTO));
  });
  const auto wanted = static_cast<std::uint8_t>(nf_family(family));
  return compare(NFT_CMP_EQ, {&wanted, 1});
}

NftRule& NftRule::goes_to_this_host() {
  expression("fib", [&] {
    request_.put(NFTA_FIB_DREG, slot_register(0));
    request_.put(NFTA_FIB_RESULT, to_nft(NFT_FIB_RESULT_ADDRTYPE));
    request_.put(NFTA_FIB_FLAGS, to_nft(NFTA_FIB_F_DADDR));
  });
  const std::uint32_t local = RTN_LOCAL;  // in the order of the machine
  return compare(NFT_CMP_EQ, {reinterpret_cast<const std::uint8_t*>(&local), sizeof(local)});
}

NftRule& NftRule::has_interface(const char* name, bool is_incoming, bool equal) {
  expression("meta", [&] {
    request_.put(NFTA_META_DREG, slot_register(0));
    request_.put(NFTA_META_KEY, to_nft(is_incoming ? NFT_META_IIFNAME : NFT_META_OIFNAME));
  });
  std::array<std::uint8_t, 16> padded{};
  std::memcpy(padded.data(), name, std::min(std::strlen(name), padded.size() - 1));
  return compare(equal ? NFT_CMP_EQ : NFT_CMP_NEQ, padded);
}

NftRule& NftRule::load_network(unsigned offset, unsigned bytes, unsigned slot) {
  return expression("payload", [&] {
    request_.put(NFTA_PAYLOAD_DREG, slot_register(slot));
    request_.put(NFTA_PAYLOAD_BASE, to_nft(NFT_PAYLOAD_NETWORK_HEADER));
    request_.put(NFTA_PAYLOAD_OFFSET, to_nft(offset));
    request_.put(NFTA_PAYLOAD_LEN, to_nft(bytes));
  });
}

NftRule& NftRule::has_loopback_at(unsigned offset) {
  const std::uint8_t first_byte = 127;
  return load_network(offset, 1, 0).compare(NFT_CMP_EQ, {&first_byte, 1});
}

NftRule& NftRule::load_source(int family, unsigned slot) {
  return family == AF_INET ? load_network(12, 4, slot) : load_network(8, 16, slot);
}

NftRule& NftRule::load_destination(int family, unsigned slot) {
  return family == AF_INET ? load_network(16, 4, slot) : load_network(24, 16, slot);
}

NftRule& NftRule::load_protocol(unsigned slot) {
  return expression("meta", [&] {
    request_.put(NFTA_META_DREG, slot_register(slot));
    request_.put(NFTA_META_KEY, to_nft(NFT_META_L4PROTO));
  });
}

NftRule& NftRule::load_destination_port(unsigned slot) {
  return expression("payload", [&] {
    request_.put(NFTA_PAYLOAD_DREG, slot_register(slot));
    request_.put(NFTA_PAYLOAD_BASE, to_nft(NFT_PAYLOAD_TRANSPORT_HEADER));
    request_.put(NFTA_PAYLOAD_OFFSET, to_nft(2));
    request_.put(NFTA_PAYLOAD_LEN, to_nft(2));
  });
}

NftRule& NftRule::was_dnatted() {
  expression("ct", [&] {
    request_.put(NFTA_CT_DREG, slot_register(0));
    request_.put(NFTA_CT_KEY, to_nft(NFT_CT_STATUS));
  });
  const std::uint32_t mask = IPS_DST_NAT;  // in the order of the machine
  const std::uint32_t none = 0;
  expression("bitwise", [&] {
    request_.put(NFTA_BITWISE_SREG, slot_register(0));
    request_.put(NFTA_BITWISE_DREG, slot_register(0));
    request_.put(NFTA_BITWISE_LEN, to_nft(sizeof(mask)));
    request_.nest(NFTA_BITWISE_MASK, [&] { request_.put(NFTA_DATA_VALUE, mask); });
    request_.nest(NFTA_BITWISE_XOR, [&] { request_.put(NFTA_DATA_VALUE, none); });
  });
  return compare(NFT_CMP_NEQ, {reinterpret_cast<const std::uint8_t*>(&none), sizeof(none)});
}

NftRule& NftRule::is_in(const std::string& set) {
  return expression("lookup", [&] {
    request_.put(NFTA_LOOKUP_SET, set);
    request_.put(NFTA_LOOKUP_SREG, slot_register(0));
  });
}

NftRule& NftRule::look_up(const std::string& map) {
  return expression("lookup", [&] {
    request_.put(NFTA_LOOKUP_SET, map);
    request_.put(NFTA_LOOKUP_SREG, slot_register(0));
    request_.put(NFTA_LOOKUP_DREG, slot_register(0));
  });
}

NftRule& NftRule::dnat(int family) {
  return expression("nat", [&] {
    request_.put(NFTA_NAT_TYPE, to_nft(NFT_NAT_DNAT));
    request_.put(NFTA_NAT_FAMILY, to_nft(nf_family(family)));
    request_.put(NFTA_NAT_REG_ADDR_MIN, slot_register(0));
    request_.put(NFTA_NAT_REG_PROTO_MIN, slot_register(family == AF_INET ? 1 : 4));
  });
}

NftRule& NftRule::masquerade() {
  return expression("masq", [] {});
}

NftRule& NftRule::count() {
  return expression("counter", [] {});
}

NftRule& NftRule::verdict(std::int32_t code, const std::string& chain) {
  return expression("immediate", [&] {
    request_.put(NFTA_IMMEDIATE_DREG, to_nft(NFT_REG_VERDICT));
    request_.nest(NFTA_IMMEDIATE_DATA, [&] {
      request_.nest(NFTA_DATA_VERDICT, [&] {
        request_.put(NFTA_VERDICT_CODE, to_nft(static_cast<std::uint32_t>(code)));
        if (!chain.empty()) request_.put(NFTA_VERDICT_CHAIN, chain);
      });
    });
  });
}

NftRule& NftRule::drop() { return verdict(NF_DROP, ""); }

NftRule& NftRule::jump(const std::string& chain) { return verdict(NFT_JUMP, chain); }

}  // namespace kubecni
