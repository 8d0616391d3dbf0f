#pragma once

namespace kubecni {

/// Undoes what a parent may pass on besides arguments, so that the plugin behaves the same under
/// every runtime. Call it first, before a file is opened.
///
/// - Opens a closed standard descriptor on /dev/null. Otherwise a lock or a socket would get its
/// number, and the answer or a log line would go there. A closed standard output stays unwritable.
/// - Writing to a closed pipe, or beyond a size limit, is an error and not a signal, so that ADD
/// can undo its work.
/// - The plugin can wait for its children, whatever the parent does with SIGCHLD.
/// - Others can never write to records and folders, whatever the umask.
void shed_inherited_state();

}  // namespace kubecni
