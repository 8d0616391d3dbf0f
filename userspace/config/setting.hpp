#pragma once

#include <string>
#include <string_view>

namespace kubecni {

/// Who reads a setting, and where it is given.
enum class Owner : unsigned char {
  kRuntime,  ///< the plugin: a key of the specification, or one that the runtime fills in
  kPlugin,   ///< the plugin: a key of the network configuration, and of "cni" in the settings file
  kBoth,     ///< the daemon, which passes it on to the plugin: an option, and a key of both files
  kDaemon,   ///< the daemon: an option, and a key of the settings file
  kList,     ///< the daemon: a key of "cni" in the settings file that is not the plugin's
};

enum class Type : unsigned char {
  kText,
  kPath,       ///< absolute
  kInterface,  ///< a name
  kNetwork,    ///< in CIDR notation, without host bits
  kNumber,     ///< whole, `least` to `most`
  kFlag,
  kChoice,  ///< a word of `allowed`
  kOther,   ///< its reader checks it
};

/// One setting, with everything that help, docs and checks need.
struct Setting {
  std::string_view key;  ///< in camel case; "vxlanPort" is the option --vxlan-port
  Owner owner;
  Type type;
  std::string_view fallback = {};  ///< the default; empty: none, or it depends on the node
  std::string_view allowed = {};   ///< of kChoice, like "auto|ebpf|bridge"
  unsigned least = 0;              ///< of kNumber
  unsigned most = 0;
  bool many = false;                    ///< a list; as an option it may be repeated
  std::string_view help = {};           ///< for --help
  std::string_view meaning = {};        ///< for docs/reference.md
  std::string_view shown_default = {};  ///< for docs/reference.md, if `fallback` does not say it
};

constexpr bool is_of_plugin(const Setting& setting) {
  return setting.owner == Owner::kPlugin || setting.owner == Owner::kBoth;
}
constexpr bool is_of_daemon(const Setting& setting) {
  return setting.owner == Owner::kDaemon || setting.owner == Owner::kBoth;
}

/// The command line option, without dashes: "vxlan-port" for "vxlanPort".
std::string option_name(const Setting& setting);

}  // namespace kubecni
