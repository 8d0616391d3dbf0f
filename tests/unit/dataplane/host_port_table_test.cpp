#include "dataplane/host_port_table.hpp"

#include "support/ip.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::ElementsAre;

TEST(HostPortElements, NameEachPodOnce) {
  const PortMapping http{
      .protocol = PortProtocol::kTcp, .host_port = 8080, .pod_port = 80, .host_ip = {}};
  const PortMapping dns{
      .protocol = PortProtocol::kUdp, .host_port = 53, .pod_port = 53, .host_ip = {}};
  const HostPorts ports = plan_host_ports({http, dns}, {addr("10.200.0.2"), addr("fd00::2")});

  const HostPortElements elements = elements_for(ports);

  EXPECT_EQ(elements.ports, ports);
  EXPECT_EQ(elements.ports.size(), 4u);
  EXPECT_THAT(elements.pods, ElementsAre(addr("10.200.0.2"), addr("fd00::2")));
}

}  // namespace
}  // namespace kubecni::test
