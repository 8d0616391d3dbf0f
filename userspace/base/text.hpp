#pragma once

#include <ranges>
#include <string>
#include <string_view>

// Lists for people: "a, b".
namespace kubecni {

/// Adds `word` to `list`.
inline void append_word(std::string& list, std::string_view word,
                        std::string_view separator = ", ") {
  if (!list.empty()) list += separator;
  list += word;
}

/// All of `items`, each as it is or by its str().
template <std::ranges::input_range Items>
std::string joined(const Items& items, std::string_view separator = ", ") {
  std::string list;
  for (const auto& item : items) {
    if constexpr (requires { item.str(); })
      append_word(list, item.str(), separator);
    else
      append_word(list, item, separator);
  }
  return list;
}

}  // namespace kubecni
