#include "base/result.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace kubecni::test {
namespace {

TEST(Error, TellsTheCallersContextFirst) {
  const Error error = Error{ENODEV, "attach from_pod"}.in("dataplane").in("ADD");

  EXPECT_EQ(error.what, "ADD: dataplane: attach from_pod");
  EXPECT_EQ(error.code, ENODEV);
}

TEST(Error, OfASystemCallHasTheTextOfItsErrno) {
  const Result<> failed = sys_error(ENOENT, "open /etc/x");

  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ENOENT);
  EXPECT_EQ(failed.error().what, "open /etc/x: No such file or directory");
}

TEST(Error, FullExplanationGetsNoErrnoText) {
  const Result<> failed = failure(EINVAL, "subnet 10.0.0.0/31 is too small");

  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, EINVAL);
  EXPECT_EQ(failed.error().what, "subnet 10.0.0.0/31 is too small");
}

TEST(Error, MovesOnToAResultOfAnotherType) {
  Result<std::unique_ptr<int>> failed = sys_error(EPERM, "bpf");

  const Result<> plain = fail(failed);

  ASSERT_FALSE(plain);
  EXPECT_EQ(plain.error().what, "bpf: Operation not permitted");
}

TEST(Error, GetsTheContextOfEachCaller) {
  Result<int> failed = sys_error(EPERM, "bpf");

  const Result<std::string> with_context = fail(failed, "load");

  ASSERT_FALSE(with_context);
  EXPECT_EQ(with_context.error().code, EPERM);
  EXPECT_EQ(with_context.error().what, "load: bpf: Operation not permitted");
}

}  // namespace
}  // namespace kubecni::test
