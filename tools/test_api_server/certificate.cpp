#include "test_api_server/certificate.hpp"

#include <cerrno>
#include <cstdlib>

namespace kubecni::test {

bool can_make_certificates() { return std::system("openssl version >/dev/null 2>&1") == 0; }

Result<> make_certificate(const std::filesystem::path& dir, const std::string& name,
                          const std::string& subject) {
  const std::string base = dir / name;
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
      "-subj /CN=kube-cni-test -addext subjectAltName=" +
      subject + " -keyout " + base + ".key -out " + base + ".crt 2>/dev/null";
  if (std::system(command.c_str()) != 0)
    return failure(EIO, "openssl makes no certificate " + base + ".crt");
  return {};
}

}  // namespace kubecni::test
