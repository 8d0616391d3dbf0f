#include "bench/prog_baseline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ProgCounts counts(std::uint64_t instructions, std::uint64_t verified, std::uint64_t xlated) {
  return {.variant = "asks conntrack",
          .program = "from_pod",
          .instructions = instructions,
          .verified = verified,
          .xlated = xlated,
          .jited = 1};
}

const ProgBaseline kBaseline{.kernel = "6.18", .programs = {counts(1000, 20000, 8000)}};

TEST(ProgBaseline, ToleratesATenthOfGrowth) {
  const auto growth = compare_with(kBaseline, "6.18", {counts(1100, 22000, 8800)});

  EXPECT_THAT(growth.too_large, IsEmpty());
  EXPECT_THAT(growth.not_compared, IsEmpty());
}

TEST(ProgBaseline, RefusesMoreOfEachCount) {
  for (const auto& [grown, what] : {std::pair{counts(1101, 20000, 8000), "1101 instructions"},
                                    {counts(1000, 22001, 8000), "22001 verified instructions"},
                                    {counts(1000, 20000, 8801), "8801 translated bytes"}})
    EXPECT_THAT(compare_with(kBaseline, "6.18", {grown}).too_large, ElementsAre(HasSubstr(what)));
}

TEST(ProgBaseline, ComparesTheObjectAloneOnAnotherKernelAndSaysSo) {
  const auto growth = compare_with(kBaseline, "6.1", {counts(1101, 99999, 99999)});

  EXPECT_THAT(growth.too_large, ElementsAre(HasSubstr("1101 instructions")));
  EXPECT_THAT(growth.not_compared, ElementsAre(HasSubstr("kernel 6.18, this is 6.1")));
}

TEST(ProgBaseline, RefusesAProgramThatItLacks) {
  ProgCounts other = counts(1, 1, 1);
  other.program = "from_moon";

  const auto growth = compare_with(kBaseline, "6.18", {counts(1, 1, 1), other});

  EXPECT_THAT(growth.too_large, ElementsAre(HasSubstr("from_moon (asks conntrack) is not in")));
}

TEST(ProgBaseline, SaysWhatThisKernelDoesNotLoad) {
  EXPECT_THAT(compare_with(kBaseline, "6.18", {}).not_compared,
              ElementsAre(HasSubstr("from_pod (asks conntrack)")));
}

TEST(ProgBaseline, IsReadAsItWasWritten) {
  const auto read = parse_baseline(to_json(kBaseline).dump());

  ASSERT_TRUE(read);
  EXPECT_EQ(read->kernel, "6.18");
  ASSERT_EQ(read->programs.size(), 1u);
  EXPECT_EQ(read->programs[0].verified, 20000u);
  EXPECT_EQ(to_json(*read), to_json(kBaseline));
}

TEST(ProgBaseline, OtherTextIsAnError) {
  for (const char* text : {"", "[]", R"({"kernel": 6})", R"({"kernel": "6.18", "programs": 1})"})
    EXPECT_FALSE(parse_baseline(text)) << text;
}

}  // namespace
}  // namespace kubecni::bench
