// ApiTransfer under a node source: certificates, and the addresses of servers.

#include "await.hpp"
#include "base/file.hpp"
#include "k8s/api_node_source.hpp"
#include "support/temp_dir.hpp"
#include "test_api_server/api_server.hpp"
#include "test_api_server/certificate.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <mutex>

namespace kubecni {
namespace {

using test::ApiServer;
using test::make_node;
using test::names;
using test::next_news;

/// An HTTPS API server whose own certificate is its CA, also that of the clients.
class ApiTls : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!test::can_make_certificates()) GTEST_SKIP() << "no openssl program";
    ASSERT_TRUE(test::make_certificate(dir_.path(), "server"));
    auto server = ApiServer::start({.cert_file = dir_ / "server.crt",
                                    .key_file = dir_ / "server.key",
                                    .client_ca_file = dir_ / "server.crt"});
    ASSERT_TRUE(server) << server.error().what;
    server_ = std::move(*server);
    server_->set_node(make_node("n1", "192.0.2.1", "10.1.0.0/24"));
    config_.server = server_->url();
    config_.ca_file = dir_ / "server.crt";
    config_.client_cert_file = dir_ / "server.crt";
    config_.client_key_file = dir_ / "server.key";
  }

  std::string content(const std::string& name) { return *read_file(dir_ / name); }

  std::string first_news() {
    const auto source = std::move(*ApiNodeSource::start(config_));
    return names(next_news(*source));
  }

  test::TempDir dir_;
  std::unique_ptr<ApiServer> server_;
  ApiConfig config_;
};

TEST_F(ApiTls, CertificatesInFilesAreUsed) { EXPECT_EQ(first_news(), "n1"); }

TEST_F(ApiTls, CertificatesInMemoryAreUsed) {
  config_.ca_data = content("server.crt");
  config_.client_cert_data = content("server.crt");
  config_.client_key_data = content("server.key");
  config_.ca_file = config_.client_cert_file = config_.client_key_file = "";

  EXPECT_EQ(first_news(), "n1");
}

TEST_F(ApiTls, AServerOfAnotherCaIsRefused) {
  ASSERT_TRUE(test::make_certificate(dir_.path(), "other"));
  config_.ca_file = dir_ / "other.crt";

  EXPECT_NE(first_news().find("check that the CA file is the one of this cluster"),
            std::string::npos);
}

TEST_F(ApiTls, AServerOfAnotherNameIsRefused) {
  config_.server.replace(config_.server.find("127.0.0.1"), 9, "localhost");

  const std::string news = first_news();

  EXPECT_NE(news.find("no alternative certificate subject name matches target host name"),
            std::string::npos)
      << news;
}

TEST_F(ApiTls, CertificateIsUncheckedOnlyOnDemand) {
  ASSERT_TRUE(test::make_certificate(dir_.path(), "other"));
  config_.ca_file = dir_ / "other.crt";
  config_.is_insecure = true;

  EXPECT_EQ(first_news(), "n1");
}

/// A cluster's address that leads nowhere, like a ClusterIP without kube-proxy, and a server's
/// address that was learned before.
class ApiLearnedEndpoint : public ApiTls {
 protected:
  void SetUp() override {
    ApiTls::SetUp();
    if (IsSkipped()) return;
    learned_ = "127.0.0.1:" + std::to_string(server_->port());
    config_.server = "https://127.0.0.9:1";
  }

  std::string first_news_with_endpoints() {
    const auto source = std::move(*ApiNodeSource::start(
        config_, {.deadlines = {}, .first_retry = std::chrono::seconds(60)},
        {.endpoints = std::make_shared<ApiEndpoints>(config_.servers(), std::vector{learned_})}));
    const auto news = names(next_news(*source));
    describe_ = source->describe();
    return news;
  }

  std::string learned_;
  std::string describe_;
};

TEST_F(ApiLearnedEndpoint, IsUsedWhenItHasACertificateForTheConfiguredName) {
  ASSERT_TRUE(test::make_certificate(dir_.path(), "cluster", "IP:127.0.0.9"));
  server_ = std::move(
      *ApiServer::start({.cert_file = dir_ / "cluster.crt", .key_file = dir_ / "cluster.key"}));
  server_->set_node(make_node("n1", "192.0.2.1", "10.1.0.0/24"));
  learned_ = "127.0.0.1:" + std::to_string(server_->port());
  config_.ca_file = dir_ / "cluster.crt";

  EXPECT_EQ(first_news_with_endpoints(), "n1");
  EXPECT_EQ(describe_, "kubernetes https://127.0.0.9:1 at " + learned_);
}

TEST_F(ApiLearnedEndpoint, IsRefusedWhenItsCertificateIsForAnotherName) {
  const std::string news = first_news_with_endpoints();

  EXPECT_EQ(news.substr(0, 6), "error:") << news;
  EXPECT_EQ(server_->counters().lists, 0);
}

TEST_F(ApiTls, ServerAddressesAreLearned) {
  server_->set_endpoints({"192.0.2.7", "192.0.2.6"}, 6443);
  std::mutex mutex;
  std::vector<std::string> learned;

  const auto source = std::move(*ApiNodeSource::start(
      config_, {}, {.learned = [&](const std::vector<std::string>& addresses) {
        const std::lock_guard lock(mutex);
        learned = addresses;
      }}));

  EXPECT_TRUE(test::eventually([&] {
    const std::lock_guard lock(mutex);
    return learned == std::vector<std::string>{"192.0.2.7:6443", "192.0.2.6:6443"};
  }));
}

TEST_F(ApiTls, WatchWorksWithoutTheRightToServerAddresses) {
  server_->forbid("list endpointslices.discovery.k8s.io");

  const auto source =
      std::move(*ApiNodeSource::start(config_, {}, {.learned = [](const auto&) { FAIL(); }}));

  EXPECT_TRUE(test::eventually([&] { return source->status().connected; }));
  EXPECT_EQ(source->status().error, "");
}

TEST_F(ApiTls, WithoutAClientCertificateTheServerRefuses) {
  config_.client_cert_file = config_.client_key_file = "";

  EXPECT_EQ(first_news().substr(0, 6), "error:");
}

}  // namespace
}  // namespace kubecni
