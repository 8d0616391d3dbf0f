#include "containerd_cri.hpp"

#include "base/file.hpp"
#include "real_client.hpp"

#include <signal.h>

#include <utility>

namespace kubecni::test {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kRuntimeDeadline{30};
constexpr const char* kPauseImage = "kube-cni.test/pause:latest";

}  // namespace

ContainerdCri::ContainerdCri(Places places) : places_(std::move(places)), client_(socket()) {
  require_program("containerd", "containerd");
  require_program("runc", "runc");
  require_program("busybox", "busybox-static");
  fs::create_directories(places_.folder);
  write_config();
  start();
  const std::string image = places_.folder / "pause.tar";
  must_run({.argv = {KUBECNI_BUSYBOX_IMAGE, image, kPauseImage, "/bin/httpd", "-f", "-p", "80",
                     "-h", "/www"}},
           kRuntimeDeadline);
  import_image(image);
}

void ContainerdCri::import_image(const fs::path& archive) const {
  must_run(
      {.argv = {"ctr", "--address", socket(), "--namespace", "k8s.io", "image", "import", archive}},
      kRuntimeDeadline);
}

ContainerdCri::~ContainerdCri() {
  daemon_.reset();
  std::error_code ignored;
  fs::remove_all(places_.folder, ignored);
}

void ContainerdCri::write_config() const {
  const std::string cri = R"([plugins."io.containerd.grpc.v1.cri")";
  const auto quoted = [](const fs::path& path) { return '"' + path.string() + "\"\n"; };
  must(write_file_atomically(
      places_.folder / "config.toml",
      "version = 2\nroot = " + quoted(places_.folder / "root") +
          "state = " + quoted(places_.folder / "state") + "[grpc]\naddress = " + quoted(socket()) +
          "[plugins.\"io.containerd.internal.v1.opt\"]\npath = " + quoted(places_.folder / "opt") +
          cri + "]\nsandbox_image = " + quoted(kPauseImage) +
          // Where CAP_SYS_RESOURCE is missing, a score cannot be lowered.
          "restrict_oom_score_adj = true\n" + cri + ".cni]\nconf_dir = " +
          quoted(places_.conf_dir) + "bin_dir = " + quoted(places_.bin_dir)));
}

void ContainerdCri::start() {
  daemon_.emplace(Command{.argv = {"containerd", "--config", places_.folder / "config.toml"},
                          .netns_fd = places_.netns.fd()});
  const auto is_up = [&] {
    client_ = CriClient(socket());
    return client_.list_pod_sandboxes().has_value();
  };
  if (!eventually(is_up, kRuntimeDeadline))
    throw std::runtime_error("containerd does not get up: " + daemon_->err());
}

void ContainerdCri::kill() {
  daemon_->signal(SIGKILL);
  daemon_->wait();
}

}  // namespace kubecni::test
