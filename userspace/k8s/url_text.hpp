#pragma once

#include <string>
#include <string_view>

namespace kubecni {

/// `text` as one part of a URL's path, or as a value in its query: what has a meaning there is
/// escaped (RFC 3986, section 2.1).
std::string url_escaped(std::string_view text);

}  // namespace kubecni
