# shellcheck shell=bash disable=SC2034
# Sourced by the commands in tools/: installs what is missing and builds.
# Needs root, for apt-get.

# What building and running needs, and what the tests need besides.
build_packages=(
    g++ cmake ninja-build clang-19 bpftool
    libbpf-dev libelf-dev zlib1g-dev libnl-3-dev libnftables-dev nlohmann-json3-dev
    libspdlog-dev libcli11-dev libcurl4-openssl-dev libyaml-cpp-dev prometheus-cpp-dev libmicrohttpd-dev
    libcpp-httplib-dev libssl-dev openssl
    iproute2 iputils-ping util-linux socat
)
image_packages=(buildah binutils bird2)
test_packages=(
    libgtest-dev libgmock-dev nghttp2-proxy
    libclang-rt-19-dev nftables iptables conntrack ethtool busybox-static strace
    libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
    containerd runc podman crun conmon containernetworking-plugins "${image_packages[@]}"
    dpkg-dev file prometheus systemd wireguard-tools
)
lint_packages=(clang-format-19 clang-tidy-19 shellcheck)

say() { printf '== %s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

require_root() {
    [[ $EUID -eq 0 ]] || die "needs root, for network namespaces and BPF; run it with sudo"
}

# timed WHAT COMMAND...: adds how long that took to the file $KUBECNI_TIME_LINE, if it is set.
timed() {
    local what=$1 began=$SECONDS status=0
    shift
    "$@" || status=$?
    [[ -z ${KUBECNI_TIME_LINE-} ]] || echo "$((SECONDS - began)) $what" >>"$KUBECNI_TIME_LINE"
    return "$status"
}

# Runs a command that may take long: its output goes to a log, a dot is printed
# each few seconds, and the end of the log is shown if it fails.
# quietly WHAT COMMAND...
quietly() {
    local what=$1 log pid
    log=$(mktemp)
    printf '== %s ' "$what"
    timed "$@" >"$log" 2>&1 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        printf .
        timeout 3 tail --pid="$pid" -f /dev/null || true
    done
    if ! wait "$pid"; then
        printf ' failed:\n'
        tail -n 40 "$log"
        rm -f "$log"
        die "$what failed"
    fi
    printf ' done\n'
    rm -f "$log"
}

# install_packages PACKAGE...: those that are missing.
install_packages() {
    local missing=() package
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            missing+=("$package")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    command -v apt-get >/dev/null ||
        die "these Debian packages are missing and there is no apt-get: ${missing[*]}"
    quietly "updating the package lists" apt-get update
    quietly "installing ${#missing[@]} packages" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${missing[@]}"
    # Only promtool is needed, not a server on port 9090; and BIRD runs in the tests' nodes.
    [[ -d /run/systemd/system ]] || return 0
    [[ " ${missing[*]} " != *" prometheus "* ]] || systemctl disable --quiet --now prometheus.service
    [[ " ${missing[*]} " != *" bird2 "* ]] || systemctl disable --quiet --now bird.service
}

# build PRESET [CMAKE-OPTION...] [--target TARGET...]
build() {
    local preset=$1 options=()
    shift
    while [[ $# -gt 0 && $1 != --target ]]; do options+=("$1"); shift; done
    quietly "configuring ($preset)" cmake --preset "$preset" "${options[@]}"
    quietly "building ($preset)" cmake --build --preset "$preset" "$@"
}

is_bpffs() { [[ $(stat --file-system --format %T "$1" 2>/dev/null) == bpf_fs ]]; }

# Mounts a bpf file system on /sys/fs/bpf, if there is none. It stays. Several may do it at once.
ensure_bpffs() {
    local lock
    ! is_bpffs /sys/fs/bpf || return 0
    exec {lock}</sys/fs/bpf || die "there is no /sys/fs/bpf: this kernel has no eBPF, or /sys is not mounted"
    flock "$lock"
    is_bpffs /sys/fs/bpf || mount -t bpf -o nosuid,nodev,noexec,mode=0700 bpf /sys/fs/bpf ||
        die "no bpf file system on /sys/fs/bpf, and it cannot be mounted (the reason is above): mount -t bpf bpf /sys/fs/bpf"
    exec {lock}<&-
}
