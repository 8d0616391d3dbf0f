#pragma once

#include "base/result.hpp"
#include "support/node.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {

/// For EXPECT_TRUE: says what went wrong.
inline testing::AssertionResult ok(const Result<>& result) {
  if (result) return testing::AssertionSuccess();
  return testing::AssertionFailure() << result.error().what;
}

/// Whether a verb succeeded.
inline testing::AssertionResult ok(const CniAnswer& answer) {
  if (answer.status == 0) return testing::AssertionSuccess();
  return testing::AssertionFailure() << answer.out << answer.err;
}

/// Whether a verb failed as the specification wants it: a status other than 0, and on
/// standard output one JSON object with version, code and message, and nothing else.
inline testing::AssertionResult failed(const CniAnswer& answer, unsigned code,
                                       const std::string& phrase) {
  const bool well_formed = answer.status > 0 && answer.status < 128 && answer.json.is_object() &&
                           answer.json.contains("cniVersion") && answer.json.contains("code") &&
                           answer.json.contains("msg");
  if (well_formed && answer.code() == code && answer.out.find(phrase) != std::string::npos)
    return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "wanted code " << code << " and \"" << phrase << "\", got status " << answer.status
         << ", " << answer.out << answer.err;
}

}  // namespace kubecni::test
