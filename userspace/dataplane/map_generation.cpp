#include "dataplane/map_generation.hpp"

#include "dataplane/bpf_map.hpp"
#include "kubecni/abi.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>

namespace kubecni {

Result<MapGeneration> MapGeneration::open(const std::filesystem::path& folder) {
  const auto path = folder / "map_generation";
  auto fd = open_pinned_map(path, sizeof(__u32), sizeof(kubecni_generation));
  if (!fd) return fail(fd);
  // Shared memory, since several processes count: reading and writing by system calls would lose
  // one of two counts, and so keep an answer that is out of date.
  void* shared =
      ::mmap(nullptr, sizeof(kubecni_generation), PROT_READ | PROT_WRITE, MAP_SHARED, fd->get(), 0);
  if (shared == MAP_FAILED) return sys_error(errno, "map the memory of " + path.string());
  return MapGeneration(Shared(static_cast<kubecni_generation*>(shared)));
}

void MapGeneration::raise() { std::atomic_ref(shared_->number).fetch_add(1); }

unsigned MapGeneration::number() const { return std::atomic_ref(shared_->number).load(); }

void MapGeneration::Unmap::operator()(kubecni_generation* shared) const {
  ::munmap(shared, sizeof(*shared));
}

}  // namespace kubecni
