#include "await.hpp"
#include "base/file.hpp"
#include "k8s/api_node_source.hpp"
#include "support/api_server.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>

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
    if (std::system("openssl version >/dev/null 2>&1") != 0) GTEST_SKIP() << "no openssl program";
    make_certificate("server");
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

  void make_certificate(const std::string& name) {
    const std::string base = dir_ / name;
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=kube-cni-test -addext subjectAltName=IP:127.0.0.1 -keyout " +
        base + ".key -out " + base + ".crt 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
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
  make_certificate("other");
  config_.ca_file = dir_ / "other.crt";

  EXPECT_NE(first_news().find("check that the CA file is the one of this cluster"),
            std::string::npos);
}

TEST_F(ApiTls, AServerOfAnotherNameIsRefused) {
  config_.server.replace(config_.server.find("127.0.0.1"), 9, "localhost");

  EXPECT_NE(first_news().find("SSL"), std::string::npos);
}

TEST_F(ApiTls, WithoutAClientCertificateTheServerRefuses) {
  config_.client_cert_file = config_.client_key_file = "";

  EXPECT_EQ(first_news().substr(0, 6), "error:");
}

}  // namespace
}  // namespace kubecni
