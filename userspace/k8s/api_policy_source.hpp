#pragma once

#include "base/unique_fd.hpp"
#include "k8s/informer.hpp"
#include "k8s/kinds.hpp"
#include "k8s/policy_source.hpp"

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// Policies, pods and namespaces from the Kubernetes API: an informer each. A WatchThread has to
/// fill them, and has to end before this object does. Pods and namespaces are asked for from the
/// first policy on: a cluster without policies does not pay for them.
class ApiPolicySource final : public PolicySource {
 public:
  /// Errors: EMFILE, ENFILE, ENOMEM.
  static Result<std::unique_ptr<ApiPolicySource>> create();

  /// From now on, asks the server. On the WatchThread.
  void begin() { policies_->release(); }

  /// For the WatchThread.
  [[nodiscard]] std::vector<AnyInformer*> informers() const;

  [[nodiscard]] int fd() const override { return epoll_.get(); }
  bool take() override;
  [[nodiscard]] bool is_known() const override;
  [[nodiscard]] PolicyObjects read() const override;
  [[nodiscard]] std::string error() const override;

 private:
  using Policies = Informer<NetworkPolicy>;
  using Pods = Informer<Pod>;
  using Spaces = Informer<Namespace>;

  /// What is known of one kind.
  struct State {
    bool is_known = false;
    std::string error = {};
  };

  ApiPolicySource(std::unique_ptr<Policies> policies, std::unique_ptr<Pods> pods,
                  std::unique_ptr<Spaces> spaces, UniqueFd epoll)
      : policies_(std::move(policies)),
        pods_(std::move(pods)),
        spaces_(std::move(spaces)),
        epoll_(std::move(epoll)) {}

  std::unique_ptr<Policies> policies_;
  std::unique_ptr<Pods> pods_;
  std::unique_ptr<Spaces> spaces_;
  UniqueFd epoll_;  ///< readable when any of them is
  std::array<State, 3> states_;
};

}  // namespace kubecni
