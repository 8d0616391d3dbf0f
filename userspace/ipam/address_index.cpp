#include "ipam/address_index.hpp"

#include "base/file.hpp"
#include "base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace kubecni {

namespace {
constexpr std::uint64_t kBitsPerWord = 64;
// For larger pools, a bitmap costs more than it saves: 128 KiB.
constexpr std::uint64_t kMostBits = std::uint64_t{1} << 20;
constexpr char kMagic[8] = {'k', 'c', 'n', 'i', 'i', 'd', 'x', '2'};
}  // namespace

struct AddressIndex::Header {
  char magic[8];
  // The pool as text, to notice another pool at the same place.
  char subnet[48];
  char first[48];
  char last[48];
  char gateway[48];
  std::uint64_t next;  // where the search begins, as the number of an address
};

namespace {

/// The bit of an address.
struct Bit {
  std::uint64_t word;
  std::uint64_t mask;
};
Bit bit_of(std::uint64_t index) {
  return {index / kBitsPerWord, std::uint64_t{1} << (index % kBitsPerWord)};
}

template <std::size_t Size>
void put(char (&field)[Size], const std::string& text) {
  text.copy(field, Size - 1);
}

template <std::size_t Size>
std::string text_in(const char (&field)[Size]) {
  return {field, ::strnlen(field, Size)};
}

/// Maps the whole file; empty span when that fails, with errno set.
std::span<std::byte> map_file(int fd, std::size_t bytes) {
  void* mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return {};
  return {static_cast<std::byte*>(mapped), bytes};
}

std::size_t size_of(int fd) {
  struct stat file{};
  return ::fstat(fd, &file) == 0 ? static_cast<std::size_t>(file.st_size) : 0;
}

}  // namespace

std::filesystem::path AddressIndex::path_of(const std::filesystem::path& folder, const Pool& pool) {
  return folder / (pool.first().str() + "-" + pool.last().str());
}

std::size_t AddressIndex::bytes_for(const Pool& pool) {
  if (pool.size() > kMostBits) return sizeof(Header);
  const std::uint64_t words = (pool.size() + kBitsPerWord - 1) / kBitsPerWord;
  return sizeof(Header) + words * sizeof(std::uint64_t);
}

AddressIndex::Header& AddressIndex::header() const {
  return *reinterpret_cast<Header*>(mapping_.data());
}

std::span<std::uint64_t> AddressIndex::words() const {
  return {reinterpret_cast<std::uint64_t*>(mapping_.data() + sizeof(Header)),
          (mapping_.size() - sizeof(Header)) / sizeof(std::uint64_t)};
}

AddressIndex::~AddressIndex() {
  if (!mapping_.empty()) ::munmap(mapping_.data(), mapping_.size());
}

std::optional<AddressIndex> AddressIndex::open(const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  Header header{};
  if (!fd || ::pread(fd.get(), &header, sizeof(header), 0) != sizeof(header)) return std::nullopt;
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0) return std::nullopt;
  const auto subnet = IpNet::parse(text_in(header.subnet));
  if (!subnet) return std::nullopt;
  const auto pool = Pool::of(Range{.subnet = *subnet,
                                   .start = IpAddr::parse(text_in(header.first)),
                                   .end = IpAddr::parse(text_in(header.last)),
                                   .gateway = IpAddr::parse(text_in(header.gateway))});
  if (!pool || size_of(fd.get()) != bytes_for(*pool)) return std::nullopt;
  const auto mapping = map_file(fd.get(), bytes_for(*pool));
  if (mapping.empty()) return std::nullopt;
  return AddressIndex(*pool, mapping);
}

std::vector<AddressIndex> AddressIndex::open_all(const std::filesystem::path& folder) {
  std::vector<AddressIndex> all;
  const auto names = list_directory(folder);
  if (!names) return all;
  for (const auto& name : *names) {
    if (name.starts_with('.')) continue;  // unfinished
    if (auto index = open(folder / name)) all.push_back(std::move(*index));
  }
  return all;
}

Result<AddressIndex> AddressIndex::create(const std::filesystem::path& path, const Pool& pool,
                                          const std::vector<IpAddr>& taken) {
  const auto unfinished = unfinished_name(path);
  const auto give_up = [&](int code, const char* what) {
    ::unlink(unfinished.c_str());
    return sys_error(code, std::string(what) + " " + path.string());
  };
  const UniqueFd fd(::open(unfinished.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return sys_error(errno, "create " + unfinished.string());
  // Reserves all blocks: a full disk must be an error here, and not a SIGBUS later.
  const auto bytes = bytes_for(pool);
  if (const int error = ::posix_fallocate(fd.get(), 0, static_cast<off_t>(bytes)); error != 0)
    return give_up(error, "reserve space for");
  const auto mapping = map_file(fd.get(), bytes);
  if (mapping.empty()) return give_up(errno, "map");

  AddressIndex index(pool, mapping);
  std::copy_n(kMagic, sizeof(kMagic), index.header().magic);
  put(index.header().subnet, pool.subnet().str());
  put(index.header().first, pool.first().str());
  put(index.header().last, pool.last().str());
  put(index.header().gateway, pool.gateway().str());
  for (const IpAddr& address : taken) index.mark_taken(address);
  if (::rename(unfinished.c_str(), path.c_str()) != 0) return give_up(errno, "replace");
  return index;
}

/// The first number in `from` .. `to` - 1 that is not marked; else `to`.
std::uint64_t AddressIndex::first_unmarked(std::uint64_t from, std::uint64_t to) const {
  const auto all = words();
  if (all.empty()) return from;
  while (from < to) {
    const auto [word, mask] = bit_of(from);
    const std::uint64_t free = ~all[word] & ~(mask - 1);
    if (free != 0) return word * kBitsPerWord + static_cast<unsigned>(std::countr_zero(free));
    from = (word + 1) * kBitsPerWord;
  }
  return to;
}

std::optional<IpAddr> AddressIndex::find_free(const IsTaken& is_taken) const {
  const std::uint64_t start = header().next % pool_.size();
  for (const auto& [from, to] :
       {std::pair{start, pool_.size()}, std::pair{std::uint64_t{0}, start}}) {
    for (auto i = first_unmarked(from, to); i < to; i = first_unmarked(i + 1, to)) {
      if (const IpAddr candidate = pool_.at(i); !is_taken(candidate)) return candidate;
    }
  }
  return std::nullopt;
}

void AddressIndex::move_past(const IpAddr& address) {
  if (const auto index = pool_.index_of(address); index < pool_.size()) header().next = index + 1;
}

void AddressIndex::mark_taken(const IpAddr& address) {
  const std::uint64_t index = pool_.index_of(address);
  if (index < pool_.size() && !words().empty()) words()[bit_of(index).word] |= bit_of(index).mask;
}

void AddressIndex::mark_free(const IpAddr& address) {
  const std::uint64_t index = pool_.index_of(address);
  if (index < pool_.size() && !words().empty()) words()[bit_of(index).word] &= ~bit_of(index).mask;
}

std::optional<std::uint64_t> AddressIndex::taken() const {
  if (words().empty()) return std::nullopt;
  std::uint64_t count = 0;
  for (const std::uint64_t word : words()) count += static_cast<unsigned>(std::popcount(word));
  return count;
}

}  // namespace kubecni
