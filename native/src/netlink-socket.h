// One rtnetlink conversation: send a request, run through the answer, and give the kernel's own errno and text when it refuses.
#pragma once
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

/** What the kernel (or libc) answered. `what` is the kernel's extended text where it gave one. */
struct NetlinkError : std::runtime_error {
  int number;
  NetlinkError(int number, const std::string &text) : std::runtime_error(text), number(number) {}
};

using Message = std::unique_ptr<struct nl_msg, decltype(&nlmsg_free)>;

Message makeMessage(int type, int flags);
void putAttribute(Message &message, int type, const void *data, size_t size);
void putText(Message &message, int type, const std::string &text);

class NetlinkSocket {
 public:
  enum Checks { Lenient, Strict };
  /** Strict: the kernel refuses what it does not know in a request, and answers only for what the request names. */
  explicit NetlinkSocket(Checks checks = Lenient);
  ~NetlinkSocket();
  NetlinkSocket(const NetlinkSocket &) = delete;
  NetlinkSocket &operator=(const NetlinkSocket &) = delete;
  /** Sends a request and waits for its acknowledgement. */
  void request(Message message);
  /** Sends a request that is answered with one message, or with an error. */
  void ask(Message message, const std::function<void(struct nlmsghdr *)> &each);
  /** Sends a dump request and calls `each` for every message. False when the kernel says that it changed meanwhile: ask again. */
  bool dump(Message message, const std::function<void(struct nlmsghdr *)> &each);

 private:
  struct nl_sock *socket_;
  int exchange(Message &message, const std::function<void(struct nlmsghdr *)> &each);
};
