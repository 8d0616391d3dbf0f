#include "k8s/api_client.hpp"

#include "base/file.hpp"
#include "k8s/api_errors.hpp"

#include <curl/curl.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace kubecni {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxListBytes = std::size_t{256} << 20;
constexpr std::size_t kMaxTokenBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxErrorBytes = 4096;
constexpr int kUnacknowledgedMs = 20'000;

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

/// A peer that went away without a word is noticed in 20 s, whether we wait for
/// it (keepalive) or it owes us an acknowledgement.
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
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);  // the CA file may change
  if (!config.ca_data.empty() || !config.ca_file.empty()) {
    // Otherwise the CAs of the system would be trusted as well.
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

void set_transport(CURL* easy, const ApiDeadlines& deadlines) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  // HTTP/2 would put the next request on a connection that just proved dead.
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  // Pod networking must not hang on a proxy somebody exported for downloads.
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  // stop() does not wait for a name server.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, long{deadlines.connect.count()});
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 10L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, set_socket_options);
}

void append(HeaderList& headers, const std::string& header) {
  headers.reset(curl_slist_append(headers.release(), header.c_str()));
}

}  // namespace

/// One GET: who takes its answer, and what became of it.
struct ApiClient::Request {
  Easy easy{curl_easy_init()};
  std::string url;
  WatchReader reader;
  std::string refusal;      ///< the beginning of a body that is not our answer
  Result<> read;            ///< what the reader said last
  Clock::time_point heard;  ///< when the server last said something
  std::atomic<Clock::time_point>* last_heard = nullptr;  ///< the client's
  char error_text[CURL_ERROR_SIZE]{};                    ///< curl's own words

  [[nodiscard]] long status() const {
    long status = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    return status;
  }

  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
    auto& request = *static_cast<Request*>(self);
    request.heard = Clock::now();
    const bool is_last = std::string_view(data, size) == "\r\n";
    if (!is_last || request.status() != 200) return size;
    *request.last_heard = request.heard;
    if (request.reader.opened) request.reader.opened();
    return size;
  }

  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
    auto& request = *static_cast<Request*>(self);
    request.heard = Clock::now();
    if (request.status() != 200) {
      request.refusal.append(data, std::min(size, kMaxErrorBytes - request.refusal.size()));
      return size;
    }
    *request.last_heard = request.heard;
    request.read = request.reader.read({data, size});
    return request.read ? size : CURL_WRITEFUNC_ERROR;
  }

  void prepare() {
    curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, error_text);
    curl_easy_setopt(easy.get(), CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy.get(), CURLOPT_HEADERDATA, this);
    curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, this);
    heard = Clock::now();
  }

  /// What `code`, with which curl ended the transfer, means.
  [[nodiscard]] Result<> outcome(CURLcode code) {
    if (!read) return fail(read);
    long os_errno = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_OS_ERRNO, &os_errno);
    if (code != CURLE_OK) return transport_error(code, os_errno, error_text);
    if (status() != 200) return status_error(status(), refusal);
    return {};
  }
};

Result<std::unique_ptr<ApiClient>> ApiClient::create(ApiConfig config, ApiDeadlines deadlines) {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (global != CURLE_OK)
    return failure(EIO, std::string("start libcurl: ") + curl_easy_strerror(global));
  CURLM* multi = curl_multi_init();
  if (!multi) return sys_error(ENOMEM, "start libcurl");
  return std::unique_ptr<ApiClient>(new ApiClient(std::move(config), deadlines, multi));
}

ApiClient::~ApiClient() { curl_multi_cleanup(multi_); }

Result<std::string> ApiClient::list_nodes(std::string_view continue_token) {
  std::string body;
  Request request;
  request.reader.read = [&](std::string_view bytes) -> Result<> {
    if (body.size() + bytes.size() > kMaxListBytes)
      return failure(EFBIG, "the answer is over " + std::to_string(kMaxListBytes) + " bytes long");
    body += bytes;
    return {};
  };
  std::string path = "/api/v1/nodes?limit=500";
  if (!continue_token.empty()) {
    const std::unique_ptr<char, decltype(&curl_free)> escaped(
        curl_easy_escape(nullptr, continue_token.data(), static_cast<int>(continue_token.size())),
        &curl_free);
    path += std::string("&continue=") + escaped.get();
  }
  if (auto got = get(path, request); !got) return fail(got);
  return body;
}

Result<> ApiClient::watch_nodes(std::string_view resource_version, const WatchReader& reader) {
  Request request;
  request.reader = reader;
  return get("/api/v1/nodes?watch=1&allowWatchBookmarks=true&resourceVersion=" +
                 std::string(resource_version) +
                 "&timeoutSeconds=" + std::to_string(deadlines_.watch.count()),
             request);
}

/// The token of right now: the kubelet replaces the file before it expires.
Result<std::string> ApiClient::bearer_token() const {
  if (config_.token_file.empty()) return config_.token;
  auto token = read_file(config_.token_file, kMaxTokenBytes);
  if (!token) return fail(token, "token file");
  while (!token->empty() && std::isspace(static_cast<unsigned char>(token->back())))
    token->pop_back();
  return token;
}

Result<> ApiClient::get(const std::string& path, Request& request) {
  const std::string context = "GET " + config_.server + path.substr(0, path.find('?'));
  auto token = bearer_token();
  if (!token) return fail(token, context);
  if (!std::all_of(token->begin(), token->end(), [](char c) { return c > ' ' && c < '\x7f'; }))
    return failure(EINVAL, context + ": the token has characters that no token has");

  HeaderList headers;
  append(headers, "Accept: application/json");
  append(headers, "User-Agent: kube-cni/" KUBECNI_VERSION);
  if (!token->empty()) append(headers, "Authorization: Bearer " + *token);

  request.last_heard = &last_heard_;
  request.url = config_.server + path;
  request.prepare();
  curl_easy_setopt(request.easy.get(), CURLOPT_HTTPHEADER, headers.get());
  set_transport(request.easy.get(), deadlines_);
  set_tls(request.easy.get(), config_);
  curl_multi_add_handle(multi_, request.easy.get());
  auto transferred = transfer(request);
  curl_multi_remove_handle(multi_, request.easy.get());
  if (!transferred) return fail(transferred, context);
  return {};
}

Result<> ApiClient::transfer(Request& request) {
  for (int running = 1; running > 0;) {
    if (stopped_) return sys_error(ECANCELED, "transfer");
    curl_multi_perform(multi_, &running);
    const auto silent = std::chrono::ceil<milliseconds>(Clock::now() - request.heard);
    if (running > 0 && silent >= deadlines_.idle)
      return failure(ETIMEDOUT, "the server said nothing for " +
                                    std::to_string(deadlines_.idle.count()) + " ms");
    if (running > 0)
      curl_multi_poll(multi_, nullptr, 0, static_cast<int>((deadlines_.idle - silent).count()),
                      nullptr);
  }
  int left = 0;
  const CURLMsg* message = curl_multi_info_read(multi_, &left);
  return message ? request.outcome(message->data.result) : sys_error(EIO, "libcurl");
}

void ApiClient::pause(milliseconds duration) {
  const auto end = Clock::now() + duration;
  for (auto now = Clock::now(); !stopped_ && now < end; now = Clock::now())
    curl_multi_poll(multi_, nullptr, 0,
                    static_cast<int>(std::chrono::ceil<milliseconds>(end - now).count()), nullptr);
}

std::optional<Clock::time_point> ApiClient::last_heard() const {
  const Clock::time_point heard = last_heard_;
  return heard == Clock::time_point{} ? std::nullopt : std::optional(heard);
}

void ApiClient::stop() {
  stopped_ = true;
  curl_multi_wakeup(multi_);
}

}  // namespace kubecni
