#include "k8s/api_config.hpp"

#include "base/file.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>

namespace kubecni {
namespace {

constexpr const char* kKubeconfig = R"(apiVersion: v1
kind: Config
current-context: here
contexts:
- name: elsewhere
  context: {cluster: other, user: other}
- name: here
  context: {cluster: c, user: u}
clusters:
- name: other
  cluster: {server: "https://192.0.2.9"}
- name: c
  cluster:
    server: https://192.0.2.1:6443/
    certificate-authority-data: Q0EK
users:
- name: u
  user:
    CREDENTIALS
)";

class ApiConfigTest : public ::testing::Test {
 protected:
  ApiConfigTest() {
    ::unsetenv("KUBERNETES_SERVICE_HOST");
    ::unsetenv("KUBERNETES_SERVICE_PORT");
    options_.service_account = dir_ / "account";
  }
  ~ApiConfigTest() override {
    ::unsetenv("KUBERNETES_SERVICE_HOST");
    ::unsetenv("KUBERNETES_SERVICE_PORT");
  }

  std::string write(const std::string& name, const std::string& content) {
    EXPECT_TRUE(ensure_directory((dir_ / name).parent_path()));
    EXPECT_TRUE(write_file_atomically(dir_ / name, content));
    return dir_ / name;
  }

  /// A kubeconfig where the first `from` is `to`.
  void write_kubeconfig(const std::string& from, const std::string& to) {
    std::string text = kKubeconfig;
    text.replace(text.find(from), from.size(), to);
    if (from != "CREDENTIALS") text.replace(text.find("CREDENTIALS"), 11, "token: secret");
    options_.kubeconfig = write("config", text);
  }

  void be_in_a_pod(const std::string& host) {
    ::setenv("KUBERNETES_SERVICE_HOST", host.c_str(), 1);
    ::setenv("KUBERNETES_SERVICE_PORT", "443", 1);
  }

  void expect_failure(int code, const std::string& phrase) {
    const auto config = resolve_api_config(options_);
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().code, code) << config.error().what;
    EXPECT_NE(config.error().what.find(phrase), std::string::npos) << config.error().what;
  }

  test::TempDir dir_;
  ApiOptions options_;
};

TEST_F(ApiConfigTest, KubeconfigGivesTheCurrentContext) {
  write_kubeconfig("CREDENTIALS", "token: secret");

  const auto config = resolve_api_config(options_);

  ASSERT_TRUE(config) << config.error().what;
  ApiConfig expected;
  expected.server = "https://192.0.2.1:6443";
  expected.ca_data = "CA\n";
  expected.token = "secret";
  EXPECT_EQ(*config, expected);
}

TEST_F(ApiConfigTest, PathsInAKubeconfigAreRelativeToIt) {
  const std::string cert = write("pki/cert.pem", "cert");
  write_kubeconfig("CREDENTIALS", "client-certificate: pki/cert.pem\n    client-key-data: a2V5");

  const auto config = resolve_api_config(options_);

  ASSERT_TRUE(config) << config.error().what;
  EXPECT_EQ(config->client_cert_file, cert);
  EXPECT_EQ(config->client_key_data, "key");
}

TEST_F(ApiConfigTest, OptionsReplaceWhatTheKubeconfigSays) {
  write_kubeconfig("CREDENTIALS", "client-certificate-data: Yw==\n    client-key-data: a2V5");
  options_.api_servers = {"https://192.0.2.7"};
  options_.ca_file = write("ca.crt", "CA");
  options_.token_file = write("token", "other");

  const auto config = resolve_api_config(options_);

  ASSERT_TRUE(config) << config.error().what;
  ApiConfig expected;
  expected.server = "https://192.0.2.7";
  expected.ca_file = options_.ca_file;
  expected.token_file = options_.token_file;
  EXPECT_EQ(*config, expected);
}

TEST_F(ApiConfigTest, WithoutOptionsItIsTheServiceAccountOfThePod) {
  be_in_a_pod("2001:db8::1");
  const std::string token = write("account/token", "secret");
  const std::string ca = write("account/ca.crt", "CA");

  const auto config = resolve_api_config(options_);

  ASSERT_TRUE(config) << config.error().what;
  ApiConfig expected;
  expected.server = "https://[2001:db8::1]:443";
  expected.ca_file = ca;
  expected.token_file = token;
  expected.advice = config->advice;
  EXPECT_EQ(*config, expected);
  EXPECT_NE(config->advice.find("\"apiServer\": ["), std::string::npos) << "without kube-proxy";
}

TEST_F(ApiConfigTest, AnotherServerIsAskedWithTheServiceAccountOfThePod) {
  be_in_a_pod("10.96.0.1");
  const std::string token = write("account/token", "secret");
  options_.api_servers = {"https://192.0.2.7:6443"};

  const auto config = resolve_api_config(options_);

  ASSERT_TRUE(config) << config.error().what;
  EXPECT_EQ(config->server, "https://192.0.2.7:6443");
  EXPECT_EQ(config->token_file, token);
  EXPECT_EQ(config->advice, "") << "that is no Service";
}

TEST_F(ApiConfigTest, PlainHttpNeedsNoCredentials) {
  options_.api_servers = {"http://127.0.0.1:8001"};

  const auto config = resolve_api_config(options_);

  ASSERT_TRUE(config) << config.error().what;
  EXPECT_EQ(config->server, "http://127.0.0.1:8001");
}

TEST_F(ApiConfigTest, OutsideAPodWithoutOptionsNoServerIsKnown) {
  expect_failure(ENOENT, "give --kubeconfig or --api-server");
}

TEST_F(ApiConfigTest, APodWithoutATokenIsNamedAsTheReason) {
  be_in_a_pod("10.96.0.1");
  write("account/ca.crt", "CA");

  expect_failure(ENOENT, "token file " + (dir_ / "account/token").string());
}

TEST_F(ApiConfigTest, HttpsWithoutCredentialsIsRefused) {
  options_.api_servers = {"https://192.0.2.7"};

  expect_failure(ENOENT, "no credentials for https://192.0.2.7");
}

TEST_F(ApiConfigTest, AddressWithoutHttpIsRefused) {
  options_.api_servers = {"192.0.2.7:6443"};

  expect_failure(EINVAL, "\"192.0.2.7:6443\"");
}

TEST_F(ApiConfigTest, AnAbsentKubeconfigIsNamed) {
  options_.kubeconfig = dir_ / "none";

  expect_failure(ENOENT, "kubeconfig " + (dir_ / "none").string());
}

TEST_F(ApiConfigTest, MalformedKubeconfigsAreRefused) {
  for (const char* text : {"", "7", "[1, 2]", "a: [", "current-context: [x]",
                           "current-context: x\ncontexts: 7", "current-context: x\ncontexts: [7]",
                           "current-context: x\ncontexts: [{name: x, context: 5}]",
                           "current-context: x\ncontexts: [{name: [], context: {}}]"}) {
    options_.kubeconfig = write("config", text);

    const auto config = resolve_api_config(options_);

    EXPECT_FALSE(config) << text;
  }
}

TEST_F(ApiConfigTest, AContextWhoseClusterIsMissingIsNamed) {
  write_kubeconfig("cluster: c,", "cluster: gone,");

  expect_failure(ENOENT, "no cluster is called \"gone\"");
}

TEST_F(ApiConfigTest, TurningOffTlsVerificationIsRefused) {
  write_kubeconfig("certificate-authority-data: Q0EK", "insecure-skip-tls-verify: true");

  expect_failure(ENOTSUP, "insecure-skip-tls-verify is refused");
}

TEST_F(ApiConfigTest, TurningOffTlsVerificationHasToBeWantedOnTheCommandLineToo) {
  write_kubeconfig("certificate-authority-data: Q0EK", "insecure-skip-tls-verify: true");
  options_.insecure_skip_tls_verify = true;

  const auto config = resolve_api_config(options_);

  ASSERT_TRUE(config) << config.error().what;
  EXPECT_TRUE(config->is_insecure);
}

TEST_F(ApiConfigTest, SeveralServersAreKeptInTheirOrder) {
  options_.api_servers = {"http://192.0.2.1:8001/", "http://192.0.2.2:8001/"};

  const auto config = resolve_api_config(options_);

  ASSERT_TRUE(config) << config.error().what;
  EXPECT_EQ(config->servers(),
            (std::vector<std::string>{"http://192.0.2.1:8001", "http://192.0.2.2:8001"}));
}

TEST_F(ApiConfigTest, EachOfSeveralServersIsChecked) {
  options_.api_servers = {"http://192.0.2.1:8001", "192.0.2.2"};

  expect_failure(EINVAL, "\"192.0.2.2\"");
}

TEST_F(ApiConfigTest, AnExecPluginIsRefused) {
  write_kubeconfig("CREDENTIALS", "exec: {command: aws}");

  expect_failure(ENOTSUP, "\"exec\"");
}

TEST_F(ApiConfigTest, BadBase64IsNamed) {
  write_kubeconfig("Q0EK", "\"%%%\"");

  expect_failure(EINVAL, "certificate-authority-data is not base64");
}

TEST_F(ApiConfigTest, NonAsciiBase64IsNamed) {
  write_kubeconfig("Q0EK", "\"Q0E\xc3\xa9\"");

  expect_failure(EINVAL, "certificate-authority-data is not base64");
}

TEST_F(ApiConfigTest, ACertificateWithoutItsKeyIsRefused) {
  write_kubeconfig("CREDENTIALS", "client-certificate-data: Yw==");

  expect_failure(ENOENT, "client certificate without its key");
}

}  // namespace
}  // namespace kubecni
