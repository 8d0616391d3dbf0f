#include "base/rollback.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kubecni::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class RollbackTest : public testing::Test {
 protected:
  std::function<void()> step(const std::string& name) {
    return [this, name] { undone_.push_back(name); };
  }
  std::vector<std::string> undone_;
};

TEST_F(RollbackTest, UndoesTheLastStepFirst) {
  {
    Rollback undo;
    undo.add(step("address"));
    undo.add(step("veth"));
    undo.add(step("programs"));
    ASSERT_THAT(undone_, IsEmpty());
  }

  EXPECT_THAT(undone_, ElementsAre("programs", "veth", "address"));
}

TEST_F(RollbackTest, UndoesNothingThatWasKept) {
  {
    Rollback undo;
    undo.add(step("address"));
    undo.keep();
  }

  EXPECT_THAT(undone_, IsEmpty());
}

TEST_F(RollbackTest, UndoesWhatCameAfterTheKeptPart) {
  {
    Rollback undo;
    undo.add(step("address"));
    undo.keep();
    undo.add(step("veth"));
  }

  EXPECT_THAT(undone_, ElementsAre("veth"));
}

}  // namespace
}  // namespace kubecni::test
