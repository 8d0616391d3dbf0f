#include "namespaces.hpp"

#include "base/unique_fd.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"
#include "net/sysctl.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

namespace kubecni::test {

namespace {

Result<> unshare_all() {
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) return sys_error(errno, "unshare");
  if (::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return sys_error(errno, "make mounts private");
  if (::mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700") != 0)
    return sys_error(errno, "mount a bpf file system");
  // Otherwise new devices send packets by themselves, which are counted.
  if (std::filesystem::exists("/proc/sys/net/ipv6"))
    must(ensure_sysctl("net/ipv6/conf/default/disable_ipv6", "1"));
  return {};
}

}  // namespace

bool may_run_bpf() { return ::geteuid() == 0; }

const PrivateNamespaces& PrivateNamespaces::enter() {
  static const PrivateNamespaces namespaces;
  return namespaces;
}

PrivateNamespaces::PrivateNamespaces()
    : bpffs_("/sys/fs/bpf/kube-cni-test-bpf-" + std::to_string(::getpid())) {
  must(unshare_all());
}

Device add_device(const std::string& name, const MacAddr& mac) {
  auto netlink = must(NetlinkSocket::open());
  const UniqueFd netns(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  must(create_veth(netlink, {.host_name = name,
                             .host_mac = mac,
                             .pod_name = name + "_peer",
                             .pod_mac = MacAddr{{2, 0, 0, 0, 0, 2}},
                             .pod_netns_fd = netns.get(),
                             .mtu = 1500}));
  const unsigned ifindex = must(find_link(netlink, name)).value().ifindex;
  must(set_link_up(netlink, ifindex));
  must(set_link_up(netlink, must(find_link(netlink, name + "_peer")).value().ifindex));
  return {.ifindex = ifindex, .name = name};
}

void remove_device(const Device& device) {
  auto netlink = must(NetlinkSocket::open());
  must(delete_link(netlink, device.ifindex));
}

}  // namespace kubecni::test
