#include "namespaces.hpp"

#include "net/netns.hpp"
#include "process.hpp"

#include <cerrno>
#include <sstream>
#include <tuple>

namespace kubecni::cnicheck {

namespace {

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::vector<std::string> words(const char* line) {
  std::istringstream text(line);
  std::vector<std::string> list;
  for (std::string word; text >> word;) list.push_back(word);
  return list;
}

Result<> run_all(int netns_fd, std::initializer_list<const char*> lines) {
  for (const char* line : lines)
    if (auto done = run_ip(netns_fd, words(line)); !done) return fail(done);
  return {};
}

Result<UniqueFd> make(const std::string& path) {
  if (auto made = run_ip(-1, {"netns", "add", name_of(path)}); !made) return fail(made);
  auto fd = open_netns(path);
  if (!fd) return fail(fd);
  if (auto up = run_ip(fd->get(), {"link", "set", "lo", "up"}); !up) return fail(up);
  return fd;
}

}  // namespace

Result<std::string> run_ip(int netns_fd, const std::vector<std::string>& args) {
  auto end = run_process({.program = "ip", .args = args, .netns_fd = netns_fd});
  if (!end) return fail(end);
  if (end->succeeded()) return std::move(end->out);
  std::string line = "ip";
  for (const auto& arg : args) line += " " + arg;
  return failure(EIO, line + ": " + end->describe());
}

Result<TestNamespace> TestNamespace::create(const std::string& name) {
  std::string path = "/run/netns/" + name;
  auto fd = make(path);
  if (!fd) return fail(fd, "make a network namespace");
  return TestNamespace(std::move(path), std::move(*fd));
}

TestNamespace::~TestNamespace() { remove(); }

void TestNamespace::remove() {
  if (!fd_) return;
  fd_.reset();
  std::ignore = run_ip(-1, {"netns", "del", name_of(path_)});
}

Result<> TestNamespace::replace() {
  remove();
  auto fd = make(path_);
  if (!fd) return fail(fd, "make the network namespace again");
  fd_ = std::move(*fd);
  return {};
}

Result<Node> Node::create(const std::string& name_prefix) {
  auto node = TestNamespace::create(name_prefix + "-node");
  if (!node) return fail(node);
  auto wire = TestNamespace::create(name_prefix + "-wire");
  if (!wire) return fail(wire);
  const std::string peer = name_of(wire->path());
  if (auto made = run_ip(node->fd(), {"link", "add", "eth0", "type", "veth", "peer", "name", "eth0",
                                      "netns", peer});
      !made)
    return fail(made);
  if (auto set = run_all(wire->fd(), {"address add 192.0.2.2/24 dev eth0", "link set eth0 up"});
      !set)
    return fail(set);
  if (auto set = run_all(node->fd(), {"address add 192.0.2.1/24 dev eth0", "link set eth0 up",
                                      "route add default via 192.0.2.2"});
      !set)
    return fail(set);
  return Node{std::move(*node), std::move(*wire)};
}

}  // namespace kubecni::cnicheck
