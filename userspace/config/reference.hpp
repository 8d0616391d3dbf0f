#pragma once

#include <string>
#include <string_view>

namespace kubecni {

/// `page`, docs/reference.md, with the tables of kSettings. Replaces the text between
/// `<!-- settings: NAME -->` and `<!-- end -->`, where NAME is plugin, daemon or list. Pure.
std::string with_settings_tables(std::string_view page);

}  // namespace kubecni
