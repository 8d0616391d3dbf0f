#include "base/result.hpp"

#include <system_error>

namespace kubecni {

Error Error::in(std::string_view context) && {
  what = std::string(context) + ": " + what;
  return std::move(*this);
}

std::unexpected<Error> sys_error(int code, std::string_view what) {
  return std::unexpected(
      Error{code, std::string(what) + ": " + std::generic_category().message(code)});
}

std::unexpected<Error> failure(int code, std::string what) {
  return std::unexpected(Error{code, std::move(what)});
}

}  // namespace kubecni
