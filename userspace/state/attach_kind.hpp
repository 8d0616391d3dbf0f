#pragma once

namespace kubecni {

/// How a program is attached to its hook.
enum class AttachKind {
  kTcx,     ///< a pinned link, kernel 6.6 and later
  kClsact,  ///< a filter of the clsact qdisc
};

}  // namespace kubecni
