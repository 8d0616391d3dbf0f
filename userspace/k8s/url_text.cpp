#include "k8s/url_text.hpp"

#include <curl/curl.h>

#include <memory>

namespace kubecni {

std::string url_escaped(std::string_view text) {
  const std::unique_ptr<char, decltype(&curl_free)> value(
      curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size())), &curl_free);
  return value.get();
}

}  // namespace kubecni
