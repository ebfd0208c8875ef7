// Netlink multicast groups as events on the loop. One poll handle per subscription; everything that is waiting is read at once and told
// as one call. The handles do not hold the process.
#include "netlink-events.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netconf.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace {

struct Seen {
  std::set<std::string> links;
  /** Those of them that are gone, have left their bridge, or are down. */
  std::set<std::string> lost;
  bool everything = false;
  bool nftables = false;
  /** Who made the last nftables transaction: pid and name, as the kernel tells. */
  uint32_t writer = 0;
  std::string writerName;
  bool any() const { return everything || nftables || !links.empty(); }
};

using Read = void (*)(struct nlmsghdr *, Seen &);

class Watch {
 public:
  Watch(Napi::Env env, int fd, Read read, Napi::Function callback)
      : env_(env), fd_(fd), read_(read), callback_(Napi::Persistent(callback)) {}

  void start() {
    uv_loop_t *loop = nullptr;
    if (napi_get_uv_event_loop(env_, &loop) != napi_ok || uv_poll_init(loop, &poll_, fd_) != 0) {
      ::close(fd_);
      throw Napi::Error::New(env_, "The netlink socket could not be watched.");
    }
    poll_.data = this;
    uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t *poll, int, int) { static_cast<Watch *>(poll->data)->drain(); });
    uv_unref(reinterpret_cast<uv_handle_t *>(&poll_));
    napi_add_env_cleanup_hook(env_, cleanup, this);
  }

  /** Frees itself when libuv lets go of the handle. Called twice is not possible: `close` of the JS side drops the pointer. */
  void stop(bool byCleanup) {
    if (!byCleanup) napi_remove_env_cleanup_hook(env_, cleanup, this);
    if (owner_) *owner_ = nullptr;
    callback_.Reset();
    uv_poll_stop(&poll_);
    ::close(fd_);
    uv_close(reinterpret_cast<uv_handle_t *>(&poll_), [](uv_handle_t *handle) { delete static_cast<Watch *>(handle->data); });
  }

  /** Where the JS side keeps its pointer; emptied when the environment ends first. */
  std::shared_ptr<Watch *> owner_;

 private:
  Napi::Env env_;
  int fd_;
  Read read_;
  Napi::FunctionReference callback_;
  uv_poll_t poll_;

  static void cleanup(void *self) { static_cast<Watch *>(self)->stop(true); }

  void drain() {
    alignas(struct nlmsghdr) static thread_local char buffer[64 * 1024];
    Seen seen;
    for (;;) {
      const ssize_t size = recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT | MSG_TRUNC);
      if (size < 0 && errno == EINTR) continue;
      // ENOBUFS: the kernel dropped messages for us, so anything may have changed; the socket goes on working (netlink(7)).
      if (size < 0 && errno == ENOBUFS) {
        seen.everything = true;
        continue;
      }
      if (size <= 0) break;
      if (static_cast<size_t>(size) > sizeof buffer) {
        seen.everything = true;
        continue;
      }
      auto *message = reinterpret_cast<struct nlmsghdr *>(buffer);
      int left = static_cast<int>(size);
      for (; nlmsg_ok(message, left); message = nlmsg_next(message, &left)) read_(message, seen);
    }
    if (seen.any()) tell(seen);
  }

  Napi::Array toArray(const std::set<std::string> &names) const {
    Napi::Array array = Napi::Array::New(env_, names.size());
    uint32_t at = 0;
    for (const std::string &name : names) array.Set(at++, Napi::String::New(env_, name));
    return array;
  }

  void tell(const Seen &seen) {
    Napi::HandleScope scope(env_);
    const Napi::Value writer = seen.writer == 0 ? env_.Undefined() : Napi::Number::New(env_, seen.writer);
    try {
      callback_.MakeCallback(env_.Global(), {toArray(seen.links), Napi::Boolean::New(env_, seen.everything), toArray(seen.lost), writer,
                                             Napi::String::New(env_, seen.writerName)});
    } catch (const Napi::Error &error) {
      napi_fatal_exception(env_, error.Value());
    }
  }
};

void readLinkEvent(struct nlmsghdr *message, Seen &seen) {
  switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      if (!nlmsg_valid_hdr(message, sizeof(struct ifinfomsg))) return;
      const auto *header = static_cast<struct ifinfomsg *>(nlmsg_data(message));
      // The bridge repeats its ports' changes with its own family; a port that comes or goes is told with AF_UNSPEC too.
      if (header->ifi_family == AF_BRIDGE && message->nlmsg_type == RTM_NEWLINK) return;
      struct nlattr *attribute = nlmsg_find_attr(message, sizeof(struct ifinfomsg), IFLA_IFNAME);
      if (!attribute) return;
      const std::string name(static_cast<char *>(nla_data(attribute)), strnlen(static_cast<char *>(nla_data(attribute)), nla_len(attribute)));
      seen.links.insert(name);
      // A port that leaves its bridge is RTM_DELLINK of the bridge's family (br_ifinfo_notify, net/bridge/br_netlink.c).
      if (message->nlmsg_type == RTM_DELLINK || (header->ifi_flags & IFF_UP) == 0) seen.lost.insert(name);
      return;
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      if (!nlmsg_valid_hdr(message, sizeof(struct ifaddrmsg))) return;
      const auto *header = static_cast<struct ifaddrmsg *>(nlmsg_data(message));
      char name[IFNAMSIZ];
      if (if_indextoname(header->ifa_index, name)) seen.links.insert(name);
      return;
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      if (!nlmsg_valid_hdr(message, sizeof(struct rtmsg))) return;
      if (static_cast<struct rtmsg *>(nlmsg_data(message))->rtm_table != RT_TABLE_LOCAL) seen.everything = true;
      return;
    }
    case RTM_NEWNETCONF: {
      // net.ipv4.ip_forward was switched: told for "all" (devinet_sysctl_forward, net/ipv4/devinet.c).
      if (!nlmsg_valid_hdr(message, sizeof(struct netconfmsg))) return;
      struct nlattr *index = nlmsg_find_attr(message, sizeof(struct netconfmsg), NETCONFA_IFINDEX);
      if (index && static_cast<int>(nla_get_u32(index)) == NETCONFA_IFINDEX_ALL) seen.everything = true;
      return;
    }
    default:
      return;
  }
}

void readNftablesEvent(struct nlmsghdr *message, Seen &seen) {
  // Every transaction ends with its generation message.
  if (message->nlmsg_type != ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN)) return;
  seen.nftables = true;
  struct nlattr *pid = nlmsg_find_attr(message, sizeof(struct nfgenmsg), NFTA_GEN_PROC_PID);
  struct nlattr *name = nlmsg_find_attr(message, sizeof(struct nfgenmsg), NFTA_GEN_PROC_NAME);
  if (!pid || !name) return;
  seen.writer = ntohl(nla_get_u32(pid));
  seen.writerName.assign(static_cast<char *>(nla_data(name)), strnlen(static_cast<char *>(nla_data(name)), nla_len(name)));
}

int openGroups(int protocol, const std::vector<int> &groups) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (fd < 0) return -errno;
  // Forced over net.core.rmem_max: fifty containers that start at once make some thousand messages.
  const int size = 4 * 1024 * 1024;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  struct sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  int error = bind(fd, reinterpret_cast<struct sockaddr *>(&address), sizeof address) < 0 ? errno : 0;
  for (const int group : groups) {
    if (error == 0 && setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) error = errno;
  }
  if (error == 0) return fd;
  ::close(fd);
  return -error;
}

Napi::Value watch(const Napi::CallbackInfo &info, int protocol, const std::vector<int> &groups, Read read) {
  Napi::Env env = info.Env();
  if (!info[0].IsFunction()) throw Napi::TypeError::New(env, "a callback is needed");
  const int fd = openGroups(protocol, groups);
  if (fd < 0) {
    Napi::Error error = Napi::Error::New(env, std::string("subscribe to netlink events: ") + strerror(-fd));
    error.Set("code", Napi::String::New(env, uv_err_name(fd)));
    throw error;
  }
  auto watching = std::make_unique<Watch>(env, fd, read, info[0].As<Napi::Function>());
  watching->start();
  auto pointer = std::make_shared<Watch *>(watching.release());
  (*pointer)->owner_ = pointer;
  return Napi::Function::New(env, [pointer](const Napi::CallbackInfo &) {
    if (*pointer) (*pointer)->stop(false);
  });
}

}  // namespace

Napi::Value watchLinks(const Napi::CallbackInfo &info) {
  return watch(info, NETLINK_ROUTE, {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_NETCONF}, readLinkEvent);
}

Napi::Value watchNftables(const Napi::CallbackInfo &info) { return watch(info, NETLINK_NETFILTER, {NFNLGRP_NFTABLES}, readNftablesEvent); }
