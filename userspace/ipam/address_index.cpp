#include "ipam/address_index.hpp"

#include "base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string>

namespace kubecni {

namespace {
constexpr std::uint64_t kBitsPerWord = 64;
constexpr char kMagic[8] = {'k', 'c', 'n', 'i', 'i', 'd', 'x', '1'};
}  // namespace

struct AddressIndex::Header {
  char magic[8];
  char subnet[48];      // text, so that another subnet is noticed
  std::uint64_t after;  // the number of the address where the search begins
};

namespace {

/// Where an address has its bit.
struct Bit {
  std::uint64_t word;
  std::uint64_t mask;
};
Bit bit_of(std::uint64_t index) {
  return {index / kBitsPerWord, std::uint64_t{1} << (index % kBitsPerWord)};
}

/// Maps the whole file; empty span when that fails, with errno set.
std::span<std::byte> map_file(int fd, std::size_t bytes) {
  void* mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return {};
  return {static_cast<std::byte*>(mapped), bytes};
}

/// Gives the file exactly that size, with all blocks reserved: a full disk must
/// be an error here, and not a SIGBUS later.
Result<> resize(int fd, std::size_t bytes) {
  if (::ftruncate(fd, 0) != 0) return sys_error(errno, "truncate");
  if (const int error = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes)); error != 0)
    return sys_error(error, "reserve space");
  return {};
}

std::size_t size_of(int fd) {
  struct stat file{};
  return ::fstat(fd, &file) == 0 ? static_cast<std::size_t>(file.st_size) : 0;
}

}  // namespace

std::size_t AddressIndex::bytes_for(const Pool& pool) {
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

std::optional<AddressIndex> AddressIndex::open_existing(const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  Header header{};
  if (!fd || ::pread(fd.get(), &header, sizeof(header), 0) != sizeof(header)) return std::nullopt;
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0) return std::nullopt;
  header.subnet[sizeof(header.subnet) - 1] = '\0';
  const auto subnet = IpNet::parse(header.subnet);
  const auto pool = subnet ? Pool::of(*subnet) : failure(EINVAL, "damaged");
  if (!pool || size_of(fd.get()) != bytes_for(*pool)) return std::nullopt;
  const auto mapping = map_file(fd.get(), bytes_for(*pool));
  if (mapping.empty()) return std::nullopt;
  return AddressIndex(*pool, mapping);
}

Result<AddressIndex> AddressIndex::open(const std::filesystem::path& path, const Pool& pool,
                                        const std::function<bool(const IpAddr&)>& is_taken) {
  if (auto existing = open_existing(path); existing && existing->pool().subnet() == pool.subnet())
    return std::move(*existing);
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return sys_error(errno, "open " + path.string());
  if (auto resized = resize(fd.get(), bytes_for(pool)); !resized)
    return fail(resized, path.string());
  const auto mapping = map_file(fd.get(), bytes_for(pool));
  if (mapping.empty()) return sys_error(errno, "map " + path.string());

  AddressIndex index(pool, mapping);
  index.rebuild(is_taken);
  pool.subnet().str().copy(index.header().subnet, sizeof(Header::subnet) - 1);
  // Last: until here a process that is killed leaves no valid index.
  std::copy_n(kMagic, sizeof(kMagic), index.header().magic);
  return index;
}

void AddressIndex::rebuild(const std::function<bool(const IpAddr&)>& is_taken) {
  std::ranges::fill(words(), 0);
  for (std::uint64_t i = 0; i < pool_.size(); ++i) {
    if (is_taken(pool_.at(i))) words()[bit_of(i).word] |= bit_of(i).mask;
  }
}

std::optional<IpAddr> AddressIndex::next_free() const {
  const std::uint64_t start = header().after % pool_.size();
  const auto all = words();
  // One word more than there are: the bits of the first before `start` come last.
  for (std::uint64_t step = 0; step <= all.size(); ++step) {
    const std::uint64_t word = (bit_of(start).word + step) % all.size();
    std::uint64_t free = ~all[word];
    if (step == 0) free &= ~(bit_of(start).mask - 1);
    const std::uint64_t index = word * kBitsPerWord + static_cast<unsigned>(std::countr_zero(free));
    if (free != 0 && index < pool_.size()) return pool_.at(index);
  }
  return std::nullopt;
}

void AddressIndex::mark_taken(const IpAddr& address) {
  const std::uint64_t index = pool_.index_of(address);
  words()[bit_of(index).word] |= bit_of(index).mask;
  header().after = index + 1;
}

void AddressIndex::mark_free(const IpAddr& address) {
  const std::uint64_t index = pool_.index_of(address);
  if (index < pool_.size()) words()[bit_of(index).word] &= ~bit_of(index).mask;
}

std::uint64_t AddressIndex::taken() const {
  std::uint64_t count = 0;
  for (const std::uint64_t word : words()) count += static_cast<unsigned>(std::popcount(word));
  return count;
}

}  // namespace kubecni
