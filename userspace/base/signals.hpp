#pragma once

#include <pthread.h>

#include <csignal>

namespace kubecni {

/// For a thread of a library: signals are for the thread that made it.
inline void block_all_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace kubecni
