#include "ipam/pool.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cerrno>

namespace kubecni {

namespace {

using Number = unsigned __int128;

constexpr std::uint64_t kMostNumbers = std::uint64_t{1} << 62;

Number number_of(const IpAddr& addr) {
  Number number = 0;
  for (unsigned i = 0; i < addr.bytes(); ++i) number = number << 8 | addr.data()[i];
  return number;
}

/// The last address that a host in the subnet may have.
IpAddr last_host_of(const IpNet& subnet) {
  const IpAddr last = subnet.addr.filled(subnet.prefix);
  if (!last.is_v4()) return last;
  constexpr std::uint64_t kMinusOne = 0xffff'ffff;  // going round
  return last.plus(kMinusOne);
}

Result<> check_inside(const char* key, const std::optional<IpAddr>& addr, const IpNet& subnet) {
  if (!addr || subnet.contains(*addr)) return {};
  return failure(
      EINVAL, std::string(key) + " " + addr->str() + " is outside of the subnet " + subnet.str());
}

Result<> check_keys(const Range& range, const IpNet& subnet) {
  const unsigned longest = subnet.addr.bits() - 2;
  if (subnet.prefix > longest)
    return failure(EINVAL, "subnet " + range.subnet.str() +
                               " has no room for a gateway and a pod; give at least a /" +
                               std::to_string(longest));
  if (auto checked = check_inside("rangeStart", range.start, subnet); !checked) return checked;
  if (auto checked = check_inside("rangeEnd", range.end, subnet); !checked) return checked;
  if (auto checked = check_inside("gateway", range.gateway, subnet); !checked) return checked;
  if (range.start && range.end && *range.end < *range.start)
    return failure(EINVAL,
                   "rangeEnd " + range.end->str() + " is before rangeStart " + range.start->str());
  if (range.gateway && (*range.gateway == subnet.addr || *range.gateway > last_host_of(subnet)))
    return failure(EINVAL,
                   "gateway " + range.gateway->str() + " is not a host address in " + subnet.str());
  return {};
}

Result<> check_overlaps(const std::vector<PoolSet>& sets) {
  PoolSet all;
  for (const PoolSet& set : sets) {
    for (const Pool& pool : set) {
      const auto other = std::ranges::find_if(all, [&](const Pool& p) { return p.overlaps(pool); });
      if (other != all.end())
        return failure(EINVAL, "ranges " + other->first().str() + " to " + other->last().str() +
                                   " and " + pool.first().str() + " to " + pool.last().str() +
                                   " overlap");
      const auto owner = std::ranges::find_if(all, [&](const Pool& p) {
        return p.contains(pool.gateway()) || pool.contains(p.gateway());
      });
      if (owner != all.end())
        return failure(EINVAL, "ranges " + owner->first().str() + " to " + owner->last().str() +
                                   " and " + pool.first().str() + " to " + pool.last().str() +
                                   ": one has the other's gateway among its pods");
      all.push_back(pool);
    }
  }
  return {};
}

}  // namespace

Result<Pool> Pool::of(const Range& range) {
  Pool pool;
  pool.subnet_ = range.subnet.network();
  if (auto checked = check_keys(range, pool.subnet_); !checked) return fail(checked);
  const IpAddr first_host = pool.subnet_.addr.plus(1);
  pool.gateway_ = range.gateway.value_or(first_host);
  pool.first_ = std::max(range.start.value_or(first_host), first_host);
  pool.last_ = std::min(range.end.value_or(last_host_of(pool.subnet_)), last_host_of(pool.subnet_));
  // Number 0 is the first address that is given out, even if `start` is not.
  if (pool.first_ == pool.gateway_) pool.first_ = pool.first_.plus(1);
  if (pool.last_ < pool.first_)
    return failure(EINVAL,
                   "rangeStart and rangeEnd leave no address for a pod in " + pool.subnet_.str());
  const Number span = number_of(pool.last_) - number_of(pool.first_) + 1;
  pool.size_ = static_cast<std::uint64_t>(
      std::min<Number>(span - (pool.is_gateway_inside() ? 1 : 0), kMostNumbers));
  return pool;
}

IpAddr Pool::at(std::uint64_t index) const {
  const IpAddr addr = first_.plus(index);
  return is_gateway_inside() && addr >= gateway_ ? addr.plus(1) : addr;
}

std::uint64_t Pool::index_of(const IpAddr& addr) const {
  if (!contains(addr)) return size_;
  const bool after_gateway = is_gateway_inside() && addr > gateway_;
  const Number index = number_of(addr) - number_of(first_) - (after_gateway ? 1 : 0);
  return static_cast<std::uint64_t>(std::min<Number>(index, size_));
}

bool Pool::contains(const IpAddr& addr) const {
  return addr.family() == first_.family() && first_ <= addr && addr <= last_ && addr != gateway_;
}

bool Pool::overlaps(const Pool& other) const {
  return first_.family() == other.first_.family() && first_ <= other.last_ && other.first_ <= last_;
}

std::string describe(const PoolSet& set) {
  std::string text;
  for (const Pool& pool : set) append_word(text, pool.subnet().str());
  return text;
}

Result<std::vector<PoolSet>> pool_sets_of(const std::vector<std::vector<Range>>& ranges) {
  std::vector<PoolSet> sets;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const std::string name = "range set " + std::to_string(i);
    if (ranges[i].empty()) return failure(EINVAL, name + " is empty");
    PoolSet set;
    for (const Range& range : ranges[i]) {
      auto pool = Pool::of(range);
      if (!pool) return fail(pool, name);
      if (!set.empty() && set.front().subnet().addr.family() != pool->subnet().addr.family())
        return failure(EINVAL, name + " has both IPv4 and IPv6; make it two sets");
      set.push_back(*pool);
    }
    sets.push_back(std::move(set));
  }
  if (auto checked = check_overlaps(sets); !checked) return fail(checked);
  return sets;
}

const Pool* find_pool(const std::vector<PoolSet>& sets, const IpAddr& addr) {
  for (const PoolSet& set : sets)
    for (const Pool& pool : set)
      if (pool.contains(addr)) return &pool;
  return nullptr;
}

}  // namespace kubecni
