#pragma once

#include <pthread.h>

#include <csignal>

namespace kubecni {

/// Blocks all signals in a library's thread: the thread that made it handles them.
inline void block_all_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace kubecni
