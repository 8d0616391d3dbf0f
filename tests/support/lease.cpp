// lease allocate|release STATE_DIR CONTAINER SUBNET...: leases an address of each
// subnet to eth0 of the container, or frees them; in a process that can be killed.

#include "ipam/lease_store.hpp"

#include <cstdio>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  using namespace kubecni;
  if (argc < 5) return 2;
  const std::string verb = argv[1];
  const LeaseOwner owner{argv[3], "eth0"};
  std::vector<std::vector<Range>> ranges;
  for (int i = 4; i < argc; ++i) {
    const auto subnet = IpNet::parse(argv[i]);
    if (!subnet) return 2;
    ranges.push_back({Range{.subnet = *subnet}});
  }
  const auto sets = pool_sets_of(ranges);
  if (!sets) return 2;
  LeaseStore store(argv[2], "pods");
  Result<> done;
  if (verb == "release") {
    done = store.release(owner);
  } else {
    auto lease = store.allocate(*sets, owner, {});
    if (!lease) done = fail(lease);
  }
  if (!done) std::fprintf(stderr, "%s\n", done.error().what.c_str());
  return done ? 0 : 1;
}
