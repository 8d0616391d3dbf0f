#pragma once

// How a process that runs for months uses little memory.
namespace kubecni {

/// Makes all threads use one heap: with few allocations, more heaps cost more than they save. Call
/// it before starting threads.
void use_one_heap();

/// Gives freed memory back to the kernel, and unchanged pages of the program and its libraries:
/// start-up touches many that are not needed again. The others come back from the page cache.
void give_back_memory();

}  // namespace kubecni
