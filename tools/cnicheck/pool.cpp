#include "pool.hpp"

namespace kubecni::cnicheck {

namespace {
constexpr unsigned kMaxPoolBits = 10;
}

Result<std::vector<Attachment*>> fill_pool(Scenario& scenario) {
  const Network& network = scenario.bench.network();
  const auto subnet = network.subnet();
  if (!subnet) return not_applicable("the configuration names no subnet, so no pool size is known");
  const unsigned bits = subnet->addr.bits() - subnet->prefix;
  if (bits > kMaxPoolBits)
    return not_applicable("the pool " + subnet->str() + " is too large to be filled");

  std::vector<Attachment*> made;
  for (std::size_t i = 0; i < std::size_t{1} << bits; ++i) {
    auto pod = scenario.new_pod();
    if (!pod) return fail(pod);
    const Target target{scenario.bench.next_name(), (*pod)->path()};
    auto chain = scenario.bench.runner().add(network, target);
    if (!chain) return fail(chain);
    Attachment* one = scenario.remember({network, target, chain->result, (*pod)->fd()});
    if (!chain->end.succeeded()) {
      auto error = expect_error(chain->end, {}, "ADD on a full pool");
      if (!error) return fail(error);
      return made;
    }
    made.push_back(one);
  }
  return unmet("ADDs in " + subnet->str(), "an error when the pool is full", "only successes");
}

}  // namespace kubecni::cnicheck
