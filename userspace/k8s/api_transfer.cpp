#include "k8s/api_transfer.hpp"

#include "k8s/api_errors.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

namespace kubecni {

namespace {

constexpr std::size_t kMaxErrorBytes = 4096;
constexpr int kUnacknowledgedMs = 20'000;

/// Detects a vanished peer within 20 s, whether we wait for it (keepalive) or it owes us an
/// acknowledgement.
int set_socket_options(void*, curl_socket_t socket, curlsocktype) {
  ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnacknowledgedMs,
               sizeof(kUnacknowledgedMs));
  return CURL_SOCKOPT_OK;
}

void set_blob(CURL* easy, CURLoption option, const std::string& pem) {
  curl_blob blob{const_cast<char*>(pem.data()), pem.size(), CURL_BLOB_NOCOPY};
  curl_easy_setopt(easy, option, &blob);
}

void set_tls(CURL* easy, const ApiConfig& config) {
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, config.is_insecure ? 0L : 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, config.is_insecure ? 0L : 2L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);  // the CA file may change
  if (!config.ca_data.empty() || !config.ca_file.empty()) {
    // Otherwise curl would also trust the system's CAs.
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    curl_easy_setopt(easy, CURLOPT_CAINFO, config.ca_file.c_str());
  }
  if (!config.ca_data.empty()) set_blob(easy, CURLOPT_CAINFO_BLOB, config.ca_data);

  if (!config.client_cert_data.empty())
    set_blob(easy, CURLOPT_SSLCERT_BLOB, config.client_cert_data);
  else if (!config.client_cert_file.empty())
    curl_easy_setopt(easy, CURLOPT_SSLCERT, config.client_cert_file.c_str());
  if (!config.client_key_data.empty())
    set_blob(easy, CURLOPT_SSLKEY_BLOB, config.client_key_data);
  else if (!config.client_key_file.empty())
    curl_easy_setopt(easy, CURLOPT_SSLKEY, config.client_key_file.c_str());
}

void set_transport(CURL* easy, std::chrono::milliseconds connect_deadline) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  // HTTP/2 where TLS agrees on it (ALPN), else HTTP/1.1.
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_2TLS});
  // Pod networking must not depend on a proxy that was exported for downloads.
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  // stop() does not wait for a name server.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, long{connect_deadline.count()});
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 10L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, set_socket_options);
}

}  // namespace

ApiTransfer::ApiTransfer(const ApiConfig& config, const ApiEndpoint& endpoint,
                         const ApiRequest& request, const ApiReader& reader,
                         const std::string& token, std::chrono::milliseconds connect_deadline)
    : request_(request), reader_(reader) {
  set_transport(easy(), connect_deadline);
  set_tls(easy(), config);
  curl_easy_setopt(easy(), CURLOPT_URL, (endpoint.server + request.path).c_str());
  if (!endpoint.address.empty()) {
    append(connect_to_, "::" + endpoint.address);
    curl_easy_setopt(easy(), CURLOPT_CONNECT_TO, connect_to_.get());
  }
  set_request(token);
  set_callbacks();
}

void ApiTransfer::append(List& list, const std::string& item) {
  list.reset(curl_slist_append(list.release(), item.c_str()));
}

void ApiTransfer::set_request(const std::string& token) {
  append(headers_, "Accept: application/json");
  append(headers_, "User-Agent: kube-cni/" KUBECNI_VERSION);
  if (!token.empty()) append(headers_, "Authorization: Bearer " + token);
  if (!request_.body.empty()) {
    append(headers_, "Content-Type: " + request_.content_type);
    curl_easy_setopt(easy(), CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request_.body.size()));
    curl_easy_setopt(easy(), CURLOPT_POSTFIELDS, request_.body.data());
  }
  curl_easy_setopt(easy(), CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  curl_easy_setopt(easy(), CURLOPT_HTTPHEADER, headers_.get());
}

void ApiTransfer::set_callbacks() {
  curl_easy_setopt(easy(), CURLOPT_ERRORBUFFER, error_text_);
  curl_easy_setopt(easy(), CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy(), CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy(), CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy(), CURLOPT_WRITEDATA, this);
}

std::size_t ApiTransfer::on_header(char* data, std::size_t, std::size_t size, void* self) {
  auto& transfer = *static_cast<ApiTransfer*>(self);
  transfer.heard_ = Clock::now();
  const bool is_last = std::string_view(data, size) == "\r\n";
  if (!is_last || !transfer.is_good()) return size;
  if (transfer.reader_.opened) transfer.reader_.opened();
  return size;
}

std::size_t ApiTransfer::on_body(char* data, std::size_t, std::size_t size, void* self) {
  auto& transfer = *static_cast<ApiTransfer*>(self);
  transfer.heard_ = Clock::now();
  if (!transfer.is_good()) {
    auto& refusal = transfer.refusal_;
    refusal.append(data, std::min(size, kMaxErrorBytes - refusal.size()));
    return size;
  }
  transfer.read_ = transfer.reader_.read({data, size});
  return transfer.read_ ? size : CURL_WRITEFUNC_ERROR;
}

long ApiTransfer::status() const {
  long status = 0;
  curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &status);
  return status;
}

bool ApiTransfer::has_own_connection() const {
  long version = CURL_HTTP_VERSION_NONE;
  curl_easy_getinfo(easy(), CURLINFO_HTTP_VERSION, &version);
  return version == CURL_HTTP_VERSION_1_0 || version == CURL_HTTP_VERSION_1_1;
}

std::chrono::seconds ApiTransfer::retry_after() const {
  constexpr curl_off_t kDay = 86'400;  // more might not fit in milliseconds
  curl_off_t seconds = 0;
  curl_easy_getinfo(easy(), CURLINFO_RETRY_AFTER, &seconds);
  return std::chrono::seconds(std::clamp<curl_off_t>(seconds, 0, kDay));
}

Result<> ApiTransfer::outcome(CURLcode code) {
  if (!read_) return fail(read_);
  long os_errno = 0;
  curl_easy_getinfo(easy(), CURLINFO_OS_ERRNO, &os_errno);
  if (code != CURLE_OK) return transport_error(code, os_errno, error_text_);
  if (!is_good()) return status_error(status(), refusal_, request_.permission);
  return {};
}

}  // namespace kubecni
