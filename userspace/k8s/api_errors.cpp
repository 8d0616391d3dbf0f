#include "k8s/api_errors.hpp"

#include "base/json.hpp"

#include <cerrno>

namespace kubecni {

namespace {

/// What to do about an answer of the server; empty when only waiting helps.
std::string advice_for(long status, const std::string& permission) {
  if (status == 401) return "; check the token or the client certificate";
  if (status == 403) return "; allow this account to " + permission + " (RBAC)";
  return "";
}

int errno_for_status(long status) {
  if (status == 401) return EACCES;
  if (status == 403) return EPERM;
  if (status == 404) return ENOENT;
  if (status == 409) return EEXIST;
  if (status == 410) return ESTALE;
  return EREMOTEIO;
}

int errno_for(CURLcode code, long os_errno) {
  switch (code) {
    case CURLE_COULDNT_CONNECT:
      return os_errno > 0 ? static_cast<int>(os_errno) : ECONNREFUSED;
    case CURLE_COULDNT_RESOLVE_HOST:
      return EHOSTUNREACH;
    case CURLE_OPERATION_TIMEDOUT:
      return ETIMEDOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
      return EPROTO;
    case CURLE_URL_MALFORMAT:
      return EINVAL;
    default:
      return ECONNRESET;
  }
}

std::string advice_for(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
      return "; check address and port, and that the server runs";
    case CURLE_COULDNT_RESOLVE_HOST:
      return "; check the name, or give the server's IP address";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return "; check that the CA file is the one of this cluster";
    case CURLE_SSL_CERTPROBLEM:
      return "; check client certificate and key";
    default:
      return "";
  }
}

}  // namespace

std::unexpected<Error> transport_error(CURLcode code, long os_errno, const std::string& words) {
  const int error = errno_for(code, os_errno);
  if (code == CURLE_COULDNT_CONNECT)  // curl's own words differ in their milliseconds
    return failure(error, sys_error(error, "connect").error().what + advice_for(code));
  const bool wordless = code == CURLE_OPERATION_TIMEDOUT || words.empty();
  return failure(error, (wordless ? curl_easy_strerror(code) : words) + advice_for(code));
}

std::unexpected<Error> status_error(long status, const std::string& body,
                                    const std::string& permission) {
  std::string what = "the server answered " + std::to_string(status);
  const auto answer = parse_json(body);
  if (answer && member(*answer, "message").is_string())
    what += " " + shown(member(*answer, "message"));
  return failure(errno_for_status(status), what + advice_for(status, permission));
}

}  // namespace kubecni
