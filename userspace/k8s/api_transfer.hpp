#pragma once

#include "k8s/api_config.hpp"
#include "k8s/api_endpoints.hpp"
#include "k8s/api_request.hpp"

#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <string>

namespace kubecni {

/// One try of a request at one endpoint: curl's settings, the receiver of the answer, and the
/// outcome. All arguments outlive it.
class ApiTransfer {
 public:
  using Clock = std::chrono::steady_clock;

  /// `token` is empty where there is none.
  ApiTransfer(const ApiConfig& config, const ApiEndpoint& endpoint, const ApiRequest& request,
              const ApiReader& reader, const std::string& token,
              std::chrono::milliseconds connect_deadline);
  ApiTransfer(const ApiTransfer&) = delete;
  ApiTransfer& operator=(const ApiTransfer&) = delete;

  [[nodiscard]] CURL* easy() const { return easy_.get(); }
  /// When the server last sent something; at first, when this was made.
  [[nodiscard]] Clock::time_point heard() const { return heard_; }
  /// Whether the server answered at all, even with a refusal.
  [[nodiscard]] bool is_answered() const { return status() != 0; }
  /// Whether the answer so far came by HTTP/1.x, so on a connection of its own.
  [[nodiscard]] bool has_own_connection() const;
  /// The pause that the server asks for; 0: none.
  [[nodiscard]] std::chrono::seconds retry_after() const;

  /// The meaning of `code`, with which curl ended the transfer; errors as ApiClient's.
  [[nodiscard]] Result<> outcome(CURLcode code);

 private:
  struct EasyDeleter {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };
  using List = std::unique_ptr<curl_slist, ListDeleter>;
  static void append(List& list, const std::string& item);

  void set_request(const std::string& token);
  void set_callbacks();
  [[nodiscard]] long status() const;
  [[nodiscard]] bool is_good() const { return status() >= 200 && status() < 300; }
  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self);
  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self);

  const ApiRequest& request_;
  const ApiReader& reader_;
  std::unique_ptr<CURL, EasyDeleter> easy_{curl_easy_init()};
  List headers_;
  List connect_to_;
  std::string refusal_;  ///< the beginning of an error's body
  Result<> read_;        ///< the reader's last result
  Clock::time_point heard_ = Clock::now();
  char error_text_[CURL_ERROR_SIZE]{};  ///< curl's own words
};

}  // namespace kubecni
