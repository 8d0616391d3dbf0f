#pragma once

// How a process that runs for months keeps little.
namespace kubecni {

/// All threads take memory from one heap: with few allocations, more heaps cost more than
/// they bring. To be called before there are threads.
void use_one_heap();

/// Gives freed memory back to the kernel, and the pages of program and libraries that are
/// mapped but not changed: starting up touches many that are not needed again. Those that
/// are needed come back from the page cache.
void give_back_memory();

}  // namespace kubecni
