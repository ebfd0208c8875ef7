// One rtnetlink conversation on a socket of its own; used on the netlink thread only.
#include "netlink-socket.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/socket.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

namespace {

// What one exchange collects; libnl's callbacks get it as their argument.
struct Exchange {
  const std::function<void(struct nlmsghdr *)> *each;
  int error = 0;
  std::string text;
};

int onValid(struct nl_msg *message, void *argument) {
  auto *exchange = static_cast<Exchange *>(argument);
  (*exchange->each)(nlmsg_hdr(message));
  return NL_OK;
}

int onError(struct sockaddr_nl *, struct nlmsgerr *answer, void *argument) {
  auto *exchange = static_cast<Exchange *>(argument);
  exchange->error = -answer->error;
  // Extended acknowledgement (NETLINK_EXT_ACK): attributes follow the error; with NETLINK_CAP_ACK only the request's header is repeated.
  auto *header = reinterpret_cast<struct nlmsghdr *>(reinterpret_cast<char *>(answer) - NLMSG_HDRLEN);
  if (header->nlmsg_flags & NLM_F_ACK_TLVS) {
    size_t skip = sizeof(*answer);
    if (!(header->nlmsg_flags & NLM_F_CAPPED)) skip += NLMSG_ALIGN(answer->msg.nlmsg_len) - NLMSG_HDRLEN;
    const size_t payload = header->nlmsg_len - NLMSG_HDRLEN;
    if (payload > skip) {
      auto *first = reinterpret_cast<struct nlattr *>(reinterpret_cast<char *>(answer) + skip);
      struct nlattr *text = nla_find(first, static_cast<int>(payload - skip), NLMSGERR_ATTR_MSG);
      if (text) exchange->text.assign(nla_get_string(text), strnlen(nla_get_string(text), nla_len(text)));
    }
  }
  return NL_STOP;
}

}  // namespace

Message makeMessage(int type, int flags) {
  Message message(nlmsg_alloc_simple(type, flags), nlmsg_free);
  if (!message) throw std::bad_alloc();
  return message;
}

void putAttribute(Message &message, int type, const void *data, size_t size) {
  if (nla_put(message.get(), type, static_cast<int>(size), data) < 0) throw std::bad_alloc();
}

void putText(Message &message, int type, const std::string &text) { putAttribute(message, type, text.c_str(), text.size() + 1); }

NetlinkSocket::NetlinkSocket(Checks checks) : socket_(nl_socket_alloc()) {
  if (!socket_) throw std::bad_alloc();
  if (nl_connect(socket_, NETLINK_ROUTE) < 0) {
    const int number = errno;
    nl_socket_free(socket_);
    throw NetlinkError(number, "the rtnetlink socket could not be opened");
  }
  // libnl would ask for an acknowledgement of everything, and leave that of a question for the next exchange.
  nl_socket_disable_auto_ack(socket_);
  const int fd = nl_socket_get_fd(socket_);
  const int on = 1;
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  if (checks == Strict) setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  // The kernel answers within its own locks; this bound is for a kernel that never does.
  const struct timeval limit = {.tv_sec = 30, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  // Dumps come in parts of up to 32 KiB (rtnetlink grows them to the reader's buffer); without peeking each costs one call, not two.
  nl_socket_set_msg_buf_size(socket_, 64 * 1024);
  nl_socket_disable_msg_peek(socket_);
}

NetlinkSocket::~NetlinkSocket() { nl_socket_free(socket_); }

int NetlinkSocket::exchange(Message &message, const std::function<void(struct nlmsghdr *)> &each) {
  Exchange exchange{&each, 0, ""};
  std::unique_ptr<struct nl_cb, decltype(&nl_cb_put)> callbacks(nl_cb_alloc(NL_CB_DEFAULT), nl_cb_put);
  if (!callbacks) throw std::bad_alloc();
  nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, onValid, &exchange);
  nl_cb_err(callbacks.get(), NL_CB_CUSTOM, onError, &exchange);
  // libnl's default ends at NLMSG_DONE, and at an acknowledgement only when told to.
  nl_cb_set(
      callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM, [](struct nl_msg *, void *) -> int { return NL_STOP; }, nullptr);
  if (nl_send_auto(socket_, message.get()) < 0) throw NetlinkError(errno, "the request could not be sent");
  errno = 0;
  const int result = nl_recvmsgs(socket_, callbacks.get());
  const int number = errno;
  if (exchange.error != 0) throw NetlinkError(exchange.error, exchange.text.empty() ? strerror(exchange.error) : exchange.text);
  if (result == -NLE_DUMP_INTR) return result;
  if (result < 0) throw NetlinkError(number != 0 ? number : EIO, nl_geterror(result));
  return result;
}

void NetlinkSocket::request(Message message) {
  nlmsg_hdr(message.get())->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  exchange(message, [](struct nlmsghdr *) {});
}

void NetlinkSocket::ask(Message message, const std::function<void(struct nlmsghdr *)> &each) {
  nlmsg_hdr(message.get())->nlmsg_flags |= NLM_F_REQUEST;
  exchange(message, each);
}

bool NetlinkSocket::dump(Message message, const std::function<void(struct nlmsghdr *)> &each) {
  nlmsg_hdr(message.get())->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
  return exchange(message, each) != -NLE_DUMP_INTR;
}
