#include "state/api_endpoints_file.hpp"

#include "base/file.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni {
namespace {

using Addresses = std::vector<std::string>;

class ApiEndpointsFile : public testing::Test {
 protected:
  test::TempDir dir_;
};

TEST_F(ApiEndpointsFile, KeepsTheAddressesOfAServer) {
  const Addresses addresses{"192.0.2.1:6443", "[2001:db8::1]:6443"};

  ASSERT_TRUE(save_endpoints(dir_.path(), "https://10.96.0.1:443", addresses));

  EXPECT_EQ(load_endpoints(dir_.path(), "https://10.96.0.1:443").value(), addresses);
}

TEST_F(ApiEndpointsFile, TheAddressesOfAnotherServerAreNotUsed) {
  ASSERT_TRUE(save_endpoints(dir_.path(), "https://10.96.0.1:443", {"192.0.2.1:6443"}));

  EXPECT_EQ(load_endpoints(dir_.path(), "https://10.97.0.1:443").value(), Addresses{});
}

TEST_F(ApiEndpointsFile, IsEmptyBeforeItIsSaved) {
  EXPECT_EQ(load_endpoints(dir_.path(), "https://a").value(), Addresses{});
}

TEST_F(ApiEndpointsFile, ADamagedOneIsNamed) {
  for (const char* text : {"", "{", "7", R"({"server":"https://a","addresses":7})"}) {
    ASSERT_TRUE(write_file_atomically(dir_ / "api-endpoints.json", text));

    const auto loaded = load_endpoints(dir_.path(), "https://a");

    ASSERT_FALSE(loaded) << text;
    EXPECT_EQ(loaded.error().code, EBADMSG);
    EXPECT_NE(loaded.error().what.find(dir_ / "api-endpoints.json"), std::string::npos);
  }
}

}  // namespace
}  // namespace kubecni
