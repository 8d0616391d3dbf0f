#include "bgp/bird_session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::ElementsAre;

// What BIRD 2.0.12 answers.
const std::vector<BirdLine> kShownProtocols{
    {2002, "Name       Proto      Table      State  Since         Info"},
    {1002, "device1    Device     ---        up     12:00:01.335  "},
    {1002, "node_192.0.2.2 BGP        ---        up     12:00:04.100  Established   "},
    {1002,
     "node_192.0.2.3 BGP        ---        start  12:00:04.100  Active        Socket: "
     "Connection refused"},
    {1002,
     "peer_2001:db8::1 BGP        ---        down   12:00:04.100  Error: No listening "
     "socket"},
    {0, ""}};

TEST(BirdProtocols, AreTheRowsOfTheTable) {
  EXPECT_THAT(
      protocols_in(kShownProtocols),
      ElementsAre(
          BirdProtocol{"device1", "Device", "up", ""},
          BirdProtocol{"node_192.0.2.2", "BGP", "up", "Established"},
          BirdProtocol{"node_192.0.2.3", "BGP", "start", "Active Socket: Connection refused"},
          BirdProtocol{"peer_2001:db8::1", "BGP", "down", "Error: No listening socket"}));
}

TEST(BirdProtocols, HaveAStateForPeople) {
  EXPECT_EQ(session_state({"", "BGP", "up", "Established"}), "Established");
  EXPECT_EQ(session_state({"", "BGP", "start", "Active Socket: Connection refused"}),
            "Active: Socket: Connection refused");
  EXPECT_EQ(session_state({"", "BGP", "down", ""}), "down");
}

TEST(BirdProtocols, SayThatThePortIsTaken) {
  EXPECT_TRUE(lacks_port({"", "BGP", "down", "Error: No listening socket"}));
  EXPECT_FALSE(lacks_port({"", "BGP", "start", "Connect Error: No listening socket"}));
}

}  // namespace
}  // namespace kubecni::test
