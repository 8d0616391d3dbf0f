#pragma once

#include <string>
#include <string_view>

namespace kubecni {

/// docs/reference.md with the tables of kSettings. Fills the text between `<!-- settings: NAME -->`
/// and `<!-- end -->`, for NAME plugin, daemon and list. Pure.
std::string with_settings_tables(std::string_view page);

}  // namespace kubecni
