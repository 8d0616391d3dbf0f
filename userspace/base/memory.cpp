#include "base/memory.hpp"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace kubecni {

namespace {

/// Read-only segments are as in the file; relocated data is in others.
int give_back_readonly(dl_phdr_info* library, std::size_t, void*) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < library->dlpi_phnum; ++i) {
    const auto& segment = library->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t begin = library->dlpi_addr + segment.p_vaddr;
    const std::uintptr_t from = begin & ~(page - 1);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the linker gives addresses as integers
    ::madvise(reinterpret_cast<void*>(from), begin + segment.p_memsz - from, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void use_one_heap() { ::mallopt(M_ARENA_MAX, 1); }

void give_back_memory() {
  ::malloc_trim(0);
  ::dl_iterate_phdr(give_back_readonly, nullptr);
}

}  // namespace kubecni
