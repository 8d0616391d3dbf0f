#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <string>

namespace kubecni::test {

/// Whether the program `openssl`, which makes the certificates, exists.
bool can_make_certificates();

/// Makes DIR/NAME.crt and DIR/NAME.key: a certificate for `subject` ("IP:127.0.0.1",
/// "DNS:localhost") that is its own CA. Errors: EIO openssl does not make it.
Result<> make_certificate(const std::filesystem::path& dir, const std::string& name,
                          const std::string& subject = "IP:127.0.0.1");

}  // namespace kubecni::test
