#include "cni_error.hpp"

#include "base/json.hpp"

#include <cerrno>

namespace kubecni {

using nlohmann::json;

json CniError::to_json(const std::string& cni_version) const {
  json error{{"cniVersion", cni_version}, {"code", static_cast<unsigned>(code)}, {"msg", msg}};
  if (!details.empty()) error["details"] = details;
  return error;
}

std::unexpected<CniError> cni_error(CniCode code, std::string msg, std::string details) {
  return std::unexpected(CniError{code, std::move(msg), std::move(details)});
}

std::unexpected<CniError> wrong_value(const std::string& key, const json& value,
                                      const std::string& wanted) {
  return cni_error(CniCode::kInvalidConfig,
                   "\"" + key + "\": " + shown(value) + " is not " + wanted);
}

std::unexpected<CniError> cni_error(const Error& error, const std::string& verb, CniCode code) {
  if (error.code == EPERM || error.code == EACCES)
    return cni_error(code, verb + ": " + error.what,
                     "kube-cni has to run as root of the node, with CAP_NET_ADMIN, CAP_SYS_ADMIN "
                     "and CAP_BPF");
  return cni_error(code, verb + ": " + error.what);
}

}  // namespace kubecni
