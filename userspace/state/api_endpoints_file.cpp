#include "state/api_endpoints_file.hpp"

#include "base/file.hpp"
#include "base/json.hpp"
#include "state/files.hpp"

#include <cerrno>

namespace kubecni {

using nlohmann::json;

namespace {
constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
}  // namespace

Result<std::vector<std::string>> load_endpoints(const std::filesystem::path& state_dir,
                                                const std::string& server) {
  const auto path = state_dir / kApiEndpointsFile;
  std::vector<std::string> addresses;
  auto text = read_file(path, kMaxBytes);
  if (!text && text.error().code == ENOENT) return addresses;
  if (!text) return fail(text);
  auto record = parse_json(*text);
  if (!record || !member(*record, "addresses").is_array())
    return failure(EBADMSG, path.string() + " is damaged");
  if (text_of(member(*record, "server")) != server) return addresses;
  for (const json& address : member(*record, "addresses"))
    if (address.is_string() && !text_of(address).empty()) addresses.push_back(text_of(address));
  return addresses;
}

Result<> save_endpoints(const std::filesystem::path& state_dir, const std::string& server,
                        const std::vector<std::string>& addresses) {
  const json record{{"server", server}, {"addresses", addresses}};
  return write_file_atomically(state_dir / kApiEndpointsFile, record.dump(1) + "\n");
}

}  // namespace kubecni
