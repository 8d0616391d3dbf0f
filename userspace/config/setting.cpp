#include "config/setting.hpp"

#include <cctype>

namespace kubecni {

std::string option_name(const Setting& setting) {
  std::string name;
  for (const char c : setting.key) {
    const auto letter = static_cast<unsigned char>(c);
    if (std::isupper(letter)) name += '-';
    name += static_cast<char>(std::tolower(letter));
  }
  return name;
}

}  // namespace kubecni
