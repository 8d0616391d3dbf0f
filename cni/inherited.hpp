#pragma once

namespace kubecni {

/// Undoes what a parent may hand down besides arguments, so that the plugin does
/// the same below every runtime. Call it first, before a file is opened.
///
/// - A closed standard descriptor is opened on /dev/null: else the lock or a
///   socket would get its number, and the answer or a log line be written there.
///   A standard output that was closed stays one that cannot be written to.
/// - Writing to a closed pipe, or over a size limit, is an error and not a
///   signal, so that ADD can undo what it did.
/// - A child's end is told, whatever the parent does with SIGCHLD.
/// - Records and folders are never writable for others, whatever the umask.
void shed_inherited_state();

}  // namespace kubecni
