#include "real_client.hpp"

#include "base/file.hpp"
#include "support/node_state.hpp"
#include "support/program.hpp"
#include "support/sandbox.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace kubecni::test {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kRuntimeDeadline{30};

/// The processes of the sandbox that are containers or belong to one: all but
/// ours and the runtime's own daemon.
void list_processes(std::vector<std::string>& lines) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto command = read_file(entry.path() / "comm");
    if (!command || !fs::exists(entry.path() / "exe")) continue;
    for (const char* of_container : {"containerd-shim", "conmon", "runc", "crun", "busybox", "sh",
                                     "httpd", "nc", "ping", "sleep"})
      if (command->starts_with(of_container)) lines.push_back("process " + *command);
  }
}

void list_mounts(std::vector<std::string>& lines) {
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) lines.push_back("mount " + line);
}

void list_cgroups(std::vector<std::string>& lines) {
  for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup")) {
    const fs::path ours = hierarchy.path() / sandbox_cgroup();
    if (!fs::exists(ours)) continue;
    for (const auto& entry : fs::directory_iterator(ours))
      if (entry.is_directory()) lines.push_back("cgroup " + entry.path().string());
  }
}

}  // namespace

void require_program(const std::string& program, const std::string& package) {
  if (run({.argv = {"sh", "-c", "command -v " + program}}).status != 0)
    throw std::runtime_error(program + " is not installed: apt install " + package);
}

void write_cni_list(const fs::path& file, nlohmann::json plugin, const std::string& version) {
  fs::create_directories(file.parent_path());
  plugin.erase("cniVersion");
  plugin.erase("name");
  const nlohmann::json list{
      {"cniVersion", version}, {"name", "pods"}, {"plugins", nlohmann::json::array({plugin})}};
  must(write_file_atomically(file, list.dump(2)));
}

void install_plugin(const Node& node) {
  fs::create_directories("/opt/cni/bin");
  fs::copy_file(program("kube-cni"), "/opt/cni/bin/kube-cni", fs::copy_options::overwrite_existing);
  write_cni_list("/etc/cni/net.d/10-kube-cni.conflist", node.conf(), "0.4.0");
}

std::string make_busybox_image(const Node& node) {
  require_program("busybox", "busybox-static");
  const std::string image = node.folder() / "busybox.tar";
  test::must_run({.argv = {KUBECNI_BUSYBOX_IMAGE, image}}, kRuntimeDeadline);
  return image;
}

std::vector<Attachment> await_attachments(const Node& node, std::size_t count) {
  AttachmentStore::Listing listing;
  const bool came = eventually(
      [&] {
        listing = must(AttachmentStore(node.state_dir()).list());
        // The record is written again when all is done.
        return listing.attachments.size() == count &&
               std::ranges::all_of(listing.attachments, &Attachment::ebpf);
      },
      kRuntimeDeadline);
  if (!came)
    throw std::runtime_error(std::to_string(listing.attachments.size()) +
                             " attachments instead of " + std::to_string(count));
  return listing.attachments;
}

std::string visit(const IpAddr& address) {
  const std::string to = address.str();
  return "ping -c 3 -i 0.2 " + to +
         " && for i in 1 2 3 4 5 6 7 8 9 10; do"
         " printf 'GET /hello HTTP/1.0\\r\\n\\r\\n' | nc -w 5 " +
         to + " 80 | grep hello && exit 0; sleep 0.2; done; exit 1";
}

std::string network_leftovers(const Node& node) {
  std::string text;
  std::istringstream state(state_of(node, {}, false));
  for (std::string line; std::getline(state, line);)
    if (line.find("veth") != std::string::npos || line.find("/ipam/") != std::string::npos ||
        line.find("/attachments/") != std::string::npos || line.starts_with("endpoint ") ||
        line.starts_with("pod_iface ") || line.find("/links/") != std::string::npos)
      text += line + "\n";
  return text;
}

std::string leftovers(const Node& node) {
  std::vector<std::string> lines;
  list_processes(lines);
  list_mounts(lines);
  list_cgroups(lines);
  std::ranges::sort(lines);
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text + network_leftovers(node);
}

}  // namespace kubecni::test
