#include "k8s/watch_decoder.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni {
namespace {

using Type = WatchEvent::Type;

const std::string kAdded = R"({"type":"ADDED","object":{"metadata":{"name":"n1"}}})"
                           "\n";
const std::string kDeleted = R"({"type":"DELETED","object":{"metadata":{"name":"n1"}}})"
                             "\n";

TEST(WatchDecoder, SeveralEventsInOneChunkComeInOrder) {
  WatchDecoder decoder;

  const auto events = decoder.feed(kAdded + "\n" + kDeleted);

  ASSERT_TRUE(events) << events.error().what;
  ASSERT_EQ(events->size(), 2u);
  EXPECT_EQ((*events)[0].type, Type::kAdded);
  EXPECT_EQ((*events)[0].object["metadata"]["name"], "n1");
  EXPECT_EQ((*events)[1].type, Type::kDeleted);
}

TEST(WatchDecoder, AnEventMayBeCutAnywhere) {
  for (std::size_t cut = 0; cut <= kAdded.size(); ++cut) {
    WatchDecoder decoder;

    const auto first = decoder.feed(kAdded.substr(0, cut));
    const auto second = decoder.feed(kAdded.substr(cut));

    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->size() + second->size(), 1u) << "cut at " << cut;
  }
}

TEST(WatchDecoder, KnowsAllTypesOfEvents) {
  for (const auto& [name, type] :
       {std::pair{"ADDED", Type::kAdded}, std::pair{"MODIFIED", Type::kModified},
        std::pair{"DELETED", Type::kDeleted}, std::pair{"BOOKMARK", Type::kBookmark},
        std::pair{"ERROR", Type::kError}}) {
    WatchDecoder decoder;

    const auto events = decoder.feed(std::string(R"({"object":{},"type":")") + name + "\"}\n");

    ASSERT_TRUE(events) << name;
    EXPECT_EQ(events->at(0).type, type) << name;
  }
}

TEST(WatchDecoder, InvalidEventIsRefused) {
  for (const char* line : {"<html>\n", "null\n", "[]\n", "{}\n", "{\"type\":3,\"object\":{}}\n",
                           "{\"type\":\"SEEN\",\"object\":{}}\n", "{\"type\":\"ADDED\"}\n",
                           "{\"type\":\"ADDED\",\"object\":[1]}\n"}) {
    WatchDecoder decoder;

    const auto events = decoder.feed(line);

    ASSERT_FALSE(events) << line;
    EXPECT_EQ(events.error().code, EBADMSG) << line;
  }
}

TEST(WatchDecoder, ALineOverTheLimitIsRefusedBeforeItIsComplete) {
  WatchDecoder decoder(100);
  ASSERT_TRUE(decoder.feed(std::string(100, ' ')));

  const auto events = decoder.feed(" ");

  ASSERT_FALSE(events);
  EXPECT_EQ(events.error().code, EMSGSIZE);
}

}  // namespace
}  // namespace kubecni
