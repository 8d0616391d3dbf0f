#include "support/http.hpp"

#include <httplib.h>

namespace kubecni::test {

HttpReply http_get(const NetNs& netns, std::uint16_t port, const std::string& path) {
  HttpReply reply;
  netns.enter([&] {
    httplib::Client client("127.0.0.1", port);
    if (const auto result = client.Get(path)) reply = {result->status, result->body};
  });
  return reply;
}

}  // namespace kubecni::test
