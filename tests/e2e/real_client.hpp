#pragma once

#include "support/node.hpp"

#include <string>
#include <vector>

namespace kubecni::test {

inline constexpr const char* kBusyboxImage = "kube-cni.test/busybox:latest";

/// Throws, naming the Debian package, when `program` is not installed.
void require_program(const std::string& program, const std::string& package);

/// Writes the list "pods" of this one plugin, as a network configuration file.
void write_cni_list(const std::filesystem::path& file, nlohmann::json plugin,
                    const std::string& version = "1.0.0");

/// Puts plugin and configuration where container runtimes look for them by default
/// (in the sandbox these places are its own).
void install_plugin(const Node& node);

/// Makes the image kBusyboxImage as a file and returns its path.
std::string make_busybox_image(const Node& node);

/// Waits until the runtime has added container number `count` to the node, and
/// returns all attachments.
std::vector<Attachment> await_attachments(const Node& node, std::size_t count);

/// A shell command that pings `address` and fetches /hello from the web server there,
/// trying until it is up, for as long as a test may take.
std::string visit(const IpAddr& address);
/// The output of visit() on success.
inline constexpr const char* kVisited = "hello from a pod";

/// What a pod's network may leave on the node, a line each, like state_of().
std::string network_leftovers(const Node& node);

/// What may be left behind by a container, a line each: processes, mounts,
/// cgroups, and network_leftovers(). Counts, not contents, of what was there before.
std::string leftovers(const Node& node);

}  // namespace kubecni::test
