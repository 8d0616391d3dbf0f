#include "bench/prog_caller.hpp"

#include "kubecni/abi.h"

#include <bpf/bpf.h>

#include <linux/bpf.h>

#include <cerrno>
#include <cstddef>
#include <utility>
#include <vector>

namespace kubecni::bench {

namespace {

using Code = std::vector<bpf_insn>;

constexpr std::int16_t kKeyOnStack = -48;
static_assert(sizeof(bpf_tunnel_key) <= 48 && sizeof(bpf_tunnel_key) % 4 == 0);

bpf_insn insn(int code, int dst, int src, int off, std::int64_t imm) {
  bpf_insn made{};
  made.code = static_cast<__u8>(code);
  made.dst_reg = static_cast<__u8>(dst & 0xf);
  made.src_reg = static_cast<__u8>(src & 0xf);
  made.off = static_cast<__s16>(off);
  made.imm = static_cast<__s32>(imm);
  return made;
}

bpf_insn move(int dst, int src) { return insn(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0); }
bpf_insn set(int dst, std::int64_t value) {
  return insn(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value);
}
bpf_insn call(bpf_func_id helper) { return insn(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
bpf_insn store(int base, int off, std::int64_t value) {
  return insn(BPF_ST | BPF_MEM | BPF_W, base, 0, off, value);
}

/// The packet is in r6.
void put_mark(Code& code) {
  code.push_back(set(BPF_REG_1, KUBECNI_MARK_FAST));
  code.push_back(
      insn(BPF_STX | BPF_MEM | BPF_W, BPF_REG_6, BPF_REG_1, offsetof(__sk_buff, mark), 0));
}

void put_tunnel_key(Code& code, std::uint32_t outer_source, unsigned vni) {
  for (std::size_t at = 0; at < sizeof(bpf_tunnel_key); at += 4)
    code.push_back(store(BPF_REG_10, kKeyOnStack + static_cast<int>(at), 0));
  const auto put = [&](std::size_t member, std::int64_t value) {
    code.push_back(store(BPF_REG_10, kKeyOnStack + static_cast<int>(member), value));
  };
  put(offsetof(bpf_tunnel_key, tunnel_id), vni);
  // from_tunnel reads the source of the key that is set here, as of one that came.
  put(offsetof(bpf_tunnel_key, local_ipv4), static_cast<std::int32_t>(outer_source));
  code.push_back(move(BPF_REG_1, BPF_REG_6));
  code.push_back(move(BPF_REG_2, BPF_REG_10));
  code.push_back(insn(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, kKeyOnStack));
  code.push_back(set(BPF_REG_3, sizeof(bpf_tunnel_key)));
  code.push_back(set(BPF_REG_4, 0));
  code.push_back(call(BPF_FUNC_skb_set_tunnel_key));
}

void put_end(Code& code) {
  code.push_back(set(BPF_REG_0, 0));
  code.push_back(insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

void put_tail_call(Code& code, int map_fd) {
  code.push_back(move(BPF_REG_1, BPF_REG_6));
  code.push_back(insn(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_2, BPF_PSEUDO_MAP_FD, 0, map_fd));
  code.push_back(insn(0, 0, 0, 0, 0));  // the second half of the one before
  code.push_back(set(BPF_REG_3, 0));
  code.push_back(call(BPF_FUNC_tail_call));
  put_end(code);
}

Result<UniqueFd> load(const Code& code) {
  UniqueFd program(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "bench_caller", "GPL", code.data(),
                                 code.size(), nullptr));
  if (!program) return sys_error(errno, "load a program that calls the measured one");
  return program;
}

}  // namespace

Result<ProgCaller> ProgCaller::create(Beside beside, std::uint32_t outer_source, unsigned vni) {
  UniqueFd map(bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "bench_callee", 4, 4, 1, nullptr));
  if (!map) return sys_error(errno, "make a map of programs");
  Code code{move(BPF_REG_6, BPF_REG_1)};
  if (beside == Beside::kFastMark) put_mark(code);
  if (beside == Beside::kTunnelKey) put_tunnel_key(code, outer_source, vni);
  put_tail_call(code, map.get());
  auto program = load(code);
  if (!program) return fail(program);
  Code end;
  put_end(end);
  auto nothing = load(end);
  if (!nothing) return fail(nothing);
  return ProgCaller(std::move(map), std::move(*program), std::move(*nothing));
}

Result<> ProgCaller::call(int prog_fd) {
  const std::uint32_t key = 0;
  if (bpf_map_update_elem(map_.get(), &key, &prog_fd, BPF_ANY) == 0) return {};
  return sys_error(errno, "make a program the callee");
}

Result<> ProgCaller::call_nothing() { return call(nothing_.get()); }

}  // namespace kubecni::bench
