#include "net/netlink.hpp"

#include "net/netlink_request.hpp"
#include "net/netns.hpp"

#include <netlink/errno.h>
#include <netlink/handlers.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <vector>

namespace kubecni {

namespace {

constexpr int kDumpAttempts = 5;
constexpr std::size_t kReceiveBytes = 64 << 10;
constexpr int kBatchPatienceS = 5;  // a commit of many elements waits for RCU

/// The answer to one request.
struct Answer {
  const NetlinkRequest::OnMessage* on_message = nullptr;
  bool complete = false;
  int error = 0;
  std::string explanation;  // the kernel's own (extended ack), often empty
};

int on_valid(nl_msg* message, void* arg) {
  const auto* answer = static_cast<Answer*>(arg);
  if (*answer->on_message) (*answer->on_message)(nlmsg_hdr(message));
  return NL_OK;
}

int on_end(nl_msg*, void* arg) {
  static_cast<Answer*>(arg)->complete = true;
  return NL_STOP;
}

/// Finds NLMSGERR_ATTR_MSG behind an error message, see netlink(7).
std::string explanation_of(const nlmsgerr* error) {
  const auto* header =
      reinterpret_cast<const nlmsghdr*>(reinterpret_cast<const char*>(error) - NLMSG_HDRLEN);
  if (!(header->nlmsg_flags & NLM_F_ACK_TLVS)) return "";
  std::size_t skip = sizeof(*error);
  if (!(header->nlmsg_flags & NLM_F_CAPPED)) skip += error->msg.nlmsg_len - NLMSG_HDRLEN;
  nlattr* text =
      nlmsg_find_attr(const_cast<nlmsghdr*>(header), static_cast<int>(skip), NLMSGERR_ATTR_MSG);
  return text ? nla_get_string(text) : "";
}

int on_error(sockaddr_nl*, nlmsgerr* error, void* arg) {
  auto* answer = static_cast<Answer*>(arg);
  answer->complete = true;
  answer->error = -error->error;
  answer->explanation = explanation_of(error);
  return NL_STOP;
}

struct FreeCallbacks {
  void operator()(nl_cb* callbacks) const { nl_cb_put(callbacks); }
};

/// libnl has its own numbers for errors of the socket itself.
int errno_of(int libnl_error) {
  switch (-libnl_error) {
    case NLE_AGAIN:
      return ETIMEDOUT;
    case NLE_DUMP_INTR:
      return EINTR;
    case NLE_NOMEM:
      return ENOBUFS;
    case NLE_PERM:
      return EPERM;
    case NLE_PROTO_MISMATCH:
      return EPROTONOSUPPORT;
    default:
      return EIO;
  }
}

int protocol_of(NetlinkPeer peer) {
  switch (peer) {
    case NetlinkPeer::kNetfilter:
      return NETLINK_NETFILTER;
    case NetlinkPeer::kXfrm:
      return NETLINK_XFRM;
    case NetlinkPeer::kRoute:
      break;
  }
  return NETLINK_ROUTE;
}

}  // namespace

void NetlinkSocket::Close::operator()(nl_sock* socket) const { nl_socket_free(socket); }

Result<NetlinkSocket> NetlinkSocket::open(NetlinkPeer peer) {
  NetlinkSocket socket(nl_socket_alloc());
  nl_sock* raw = socket.socket_.get();
  if (!raw) return sys_error(ENOMEM, "allocate netlink socket");
  const int protocol = protocol_of(peer);
  if (const int error = nl_connect(raw, protocol); error < 0) {
    // libnl has no error for "too many open files", and gives no detail.
    if (error == -NLE_FAILURE) return sys_error(errno, "open netlink socket");
    return failure(errno_of(error), std::string("open netlink socket: ") + nl_geterror(error));
  }
  nl_socket_set_msg_buf_size(raw, kReceiveBytes);
  const int fd = nl_socket_get_fd(raw);
  const int on = 1;
  const timeval second{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)) != 0)
    return sys_error(errno, "set time limit of netlink socket");
  return socket;
}

Result<NetlinkSocket> NetlinkSocket::open_in(int netns_fd) {
  const auto inside = NetnsGuard::enter(netns_fd);
  if (!inside) return std::unexpected(inside.error());
  return open();
}

int NetlinkSocket::fd() const { return nl_socket_get_fd(socket_.get()); }

NetlinkRequest::NetlinkRequest(int type, int flags)
    : message_(nlmsg_alloc_simple(type, NLM_F_REQUEST | flags)) {}

void NetlinkRequest::append(const void* bytes, std::size_t size) {
  nlmsg_append(message_.get(), const_cast<void*>(bytes), size, NLMSG_ALIGNTO);
}

void NetlinkRequest::put(int attribute, const void* bytes, std::size_t size) {
  nla_put(message_.get(), attribute, static_cast<int>(size), bytes);
}

void NetlinkRequest::nest(int attribute, const std::function<void()>& content) {
  nlattr* start = nla_nest_start(message_.get(), attribute);
  content();
  nla_nest_end(message_.get(), start);
}

Result<> NetlinkRequest::exchange(NetlinkSocket& socket, std::string_view what,
                                  const OnMessage& on_message) {
  nl_sock* raw = socket.socket_.get();
  nlmsghdr* header = nlmsg_hdr(message_.get());
  // A dump ends with NLMSG_DONE and everything else with an acknowledgement.
  if ((header->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP) header->nlmsg_flags |= NLM_F_ACK;
  header->nlmsg_seq = NL_AUTO_SEQ;
  if (const int error = nl_send_auto(raw, message_.get()); error < 0)
    return sys_error(errno_of(error), what);

  Answer answer{.on_message = &on_message, .explanation = {}};
  const std::unique_ptr<nl_cb, FreeCallbacks> callbacks(nl_cb_alloc(NL_CB_DEFAULT));
  nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, on_valid, &answer);
  nl_cb_set(callbacks.get(), NL_CB_FINISH, NL_CB_CUSTOM, on_end, &answer);
  nl_cb_set(callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM, on_end, &answer);
  nl_cb_err(callbacks.get(), NL_CB_CUSTOM, on_error, &answer);
  while (!answer.complete) {
    if (const int error = nl_recvmsgs(raw, callbacks.get()); error < 0 && answer.error == 0)
      return sys_error(errno_of(error), what);
  }
  if (answer.error == 0) return {};
  const std::string context(what);
  return sys_error(answer.error, answer.explanation.empty()
                                     ? context
                                     : context + " (" + answer.explanation + ")");
}

Result<> NetlinkRequest::exchange_batch(NetlinkSocket& socket,
                                        const std::vector<NetlinkRequest*>& requests,
                                        std::string_view what) {
  const int fd = nl_socket_get_fd(socket.socket_.get());
  std::vector<char> bytes;
  std::uint32_t sequence = 0;
  for (const NetlinkRequest* request : requests) {
    nlmsghdr* header = nlmsg_hdr(request->message_.get());
    header->nlmsg_seq = ++sequence;
    // Errors are answered in any case, the end of the transaction only by newer kernels.
    if (sequence + 1 == requests.size()) header->nlmsg_flags |= NLM_F_ACK;
    const auto* begin = reinterpret_cast<const char*>(header);
    bytes.insert(bytes.end(), begin, begin + NLMSG_ALIGN(header->nlmsg_len));
  }
  const int room = static_cast<int>(2 * bytes.size() + kReceiveBytes);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
  const timeval patience{.tv_sec = kBatchPatienceS, .tv_usec = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  iovec content{.iov_base = bytes.data(), .iov_len = bytes.size()};
  msghdr message{};
  message.msg_name = &kernel;
  message.msg_namelen = sizeof(kernel);
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  if (::sendmsg(fd, &message, 0) < 0) return sys_error(errno, what);

  // An error of the whole transaction is the answer to its beginning. Those of single messages come
  // before the last one's.
  const std::uint32_t last = sequence - 1;
  alignas(nlmsghdr) std::array<char, kReceiveBytes> buffer;
  for (;;) {
    const ssize_t received = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (received < 0) return sys_error(errno == EAGAIN ? ETIMEDOUT : errno, what);
    int left = static_cast<int>(received);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer.data()); nlmsg_ok(header, left);
         header = nlmsg_next(header, &left)) {
      if (header->nlmsg_type != NLMSG_ERROR) continue;
      const auto* answer = static_cast<const nlmsgerr*>(nlmsg_data(header));
      if (answer->error != 0) return sys_error(-answer->error, what);
      if (header->nlmsg_seq == last) return {};
    }
  }
}

Result<> NetlinkRequest::dump(NetlinkSocket& socket, std::string_view what,
                              const std::function<void()>& restart, const OnMessage& on_message) {
  for (int attempt = 1;; ++attempt) {
    restart();
    auto done = exchange(socket, what, on_message);
    if (done || done.error().code != EINTR || attempt == kDumpAttempts) return done;
  }
}

}  // namespace kubecni
