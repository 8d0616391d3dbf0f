#pragma once

#include "base/unique_fd.hpp"
#include "k8s/informer.hpp"
#include "k8s/kinds.hpp"
#include "k8s/policy_source.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// Policies, namespaces, and the pods of one node from the Kubernetes API, and the pods of other
/// nodes as long as policies of that node's pods need them: an informer each. A WatchThread has to
/// fill them, and has to end before this object does.
///
/// A cluster without policies pays for nothing else, and one whose policies need no peers not for
/// all its pods. What nobody needs any more is watched a while longer: a policy that is made anew
/// does not make every node list all pods.
class ApiPolicySource final : public PolicySource {
 public:
  using Clock = std::chrono::steady_clock;

  struct Options {
    /// Empty: the pods of all nodes are read as if they were of one.
    std::string node_name = {};
    std::chrono::milliseconds linger = std::chrono::seconds(30);
    /// Policies of before are in force, and stay so until all of the present ones are known.
    bool has_table = true;
  };

  /// Errors: EMFILE, ENFILE, ENOMEM.
  static Result<std::unique_ptr<ApiPolicySource>> create(Options options);

  /// From now on, asks the server. On the WatchThread.
  void begin() { policies_->release(); }

  /// For the WatchThread.
  [[nodiscard]] std::vector<AnyInformer*> informers() const;

  [[nodiscard]] int fd() const override { return epoll_.get(); }
  bool take() override;
  /// The first time, peers that are needed have to be known, too, if `has_table`: what was in force
  /// stays until then. Else, and later, the objects say that they are awaited.
  [[nodiscard]] bool is_known() const override { return is_known_; }
  [[nodiscard]] const PolicyObjects& read() const override { return objects_; }
  [[nodiscard]] std::string error() const override;

 private:
  ApiPolicySource(Options options, UniqueFd epoll)
      : options_(std::move(options)), epoll_(std::move(epoll)) {}

  Result<> make_informers();
  void decide_what_to_watch();
  [[nodiscard]] bool need_peers(const PolicyObjects& objects) const;
  std::optional<PolicyObjects> snapshot();

  Options options_;
  UniqueFd epoll_;  ///< readable when any of them is
  std::unique_ptr<Informer<NetworkPolicy>> policies_;
  std::unique_ptr<Informer<Namespace>> spaces_;
  std::unique_ptr<Informer<Pod>> pods_;
  std::unique_ptr<Informer<Pod>> peers_;
  PolicyObjects objects_;
  bool is_known_ = false;
  bool need_peers_ = false;  ///< when take() last looked
};

}  // namespace kubecni
