// main() of programs in which ctest runs a suite, or all tests, as one test: skipped tests must not
// look passed.

#include <gtest/gtest.h>

int main(int argc, char** argv) {
  constexpr int kSkipped = 77;  // the property SKIP_RETURN_CODE of these tests
  testing::InitGoogleTest(&argc, argv);
  const int status = RUN_ALL_TESTS();
  if (status == 0 && testing::UnitTest::GetInstance()->skipped_test_count() > 0) return kSkipped;
  return status;
}
