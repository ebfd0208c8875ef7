// Reading and changing links and addresses (rtnetlink(7)). Messages are parsed here instead of by libnl-route's caches: these keep every
// attribute of every link, and a host with a thousand veths is read often.
#include "netlink-links.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>

#include <charconv>
#include <exception>
#include <functional>
#include <memory>
#include <set>
#include <unordered_map>

#include "netlink-socket.h"
#include "owned-fd.h"

namespace {

struct Address {
  int index;
  std::string text;
  struct ifaddrmsg header;
  std::string local;
  std::string address;
};

using Each = std::function<void(struct nlmsghdr *)>;

struct nlattr *find(struct nlmsghdr *message, int header, int type) { return nlmsg_find_attr(message, header, type); }

std::string textOf(struct nlattr *attribute) {
  if (!attribute) return "";
  const char *data = static_cast<const char *>(nla_data(attribute));
  return std::string(data, strnlen(data, nla_len(attribute)));
}

std::string hardwareAddress(struct nlattr *attribute) {
  if (!attribute) return "";
  const auto *bytes = static_cast<const unsigned char *>(nla_data(attribute));
  std::string text;
  char part[4];
  for (int i = 0; i < nla_len(attribute); i++) {
    snprintf(part, sizeof part, i == 0 ? "%02x" : ":%02x", bytes[i]);
    text += part;
  }
  return text;
}

/** `10.0.0.1/24`; empty when the attribute's size is not the family's. */
std::string cidr(int family, const std::string &bytes, int prefix) {
  if (bytes.size() != (family == AF_INET ? 4u : 16u)) return "";
  char text[INET6_ADDRSTRLEN];
  if (!inet_ntop(family, bytes.data(), text, sizeof text)) return "";
  return std::string(text) + "/" + std::to_string(prefix);
}

std::string bytesOf(struct nlattr *attribute) {
  if (!attribute) return "";
  return std::string(static_cast<const char *>(nla_data(attribute)), nla_len(attribute));
}

// A dump that the kernel marks as interrupted (NLM_F_DUMP_INTR) may miss links. It is asked for again, and never taken as complete.
void dumpAll(NetlinkSocket &socket, const std::function<Message()> &ask, const std::function<void()> &reset, const Each &each) {
  for (int attempt = 0; attempt < 20; attempt++) {
    reset();
    if (socket.dump(ask(), each)) return;
  }
  throw NetlinkError(EBUSY, "the links change faster than they can be listed");
}

/** Of the kernel's answer; without addresses and the name of its master. */
Link parseLink(struct nlmsghdr *message) {
  const auto *header = static_cast<struct ifinfomsg *>(nlmsg_data(message));
  constexpr int size = sizeof(struct ifinfomsg);
  Link link;
  link.index = header->ifi_index;
  link.up = (header->ifi_flags & IFF_UP) != 0;
  link.name = textOf(find(message, size, IFLA_IFNAME));
  link.alias = textOf(find(message, size, IFLA_IFALIAS));
  link.hwaddr = hardwareAddress(find(message, size, IFLA_ADDRESS));
  if (auto *mtu = find(message, size, IFLA_MTU)) link.mtu = nla_get_u32(mtu);
  if (auto *master = find(message, size, IFLA_MASTER)) link.master = static_cast<int>(nla_get_u32(master));
  if (auto *info = find(message, size, IFLA_LINKINFO)) {
    link.type = textOf(nla_find(static_cast<struct nlattr *>(nla_data(info)), nla_len(info), IFLA_INFO_KIND));
  }
  return link;
}

/** A question for links; without the counters of packets, which take long to sum up. */
Message linkQuestion() {
  Message message = makeMessage(RTM_GETLINK, 0);
  struct ifinfomsg header = {};
  if (nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO) < 0) throw std::bad_alloc();
  const uint32_t filter = RTEXT_FILTER_SKIP_STATS;
  putAttribute(message, IFLA_EXT_MASK, &filter, sizeof filter);
  return message;
}

std::vector<Link> readLinks(NetlinkSocket &socket) {
  std::vector<Link> links;
  dumpAll(
      socket, linkQuestion, [&] { links.clear(); },
      [&](struct nlmsghdr *message) {
        if (message->nlmsg_type == RTM_NEWLINK) links.push_back(parseLink(message));
      });
  std::unordered_map<int, std::string> names;
  for (const Link &link : links) names[link.index] = link.name;
  // The master of a moved veth may be in another network namespace: its index means nothing here.
  for (Link &link : links) {
    const auto master = names.find(link.master);
    if (link.master != 0 && master != names.end()) link.masterName = master->second;
  }
  return links;
}

/** Of one link, or of all (0). A socket that asks strictly gets no others from the kernel (NETLINK_GET_STRICT_CHK, Linux 4.20). */
std::vector<Address> readAddresses(NetlinkSocket &socket, int family = AF_UNSPEC, int index = 0) {
  std::vector<Address> addresses;
  auto ask = [family, index] {
    Message message = makeMessage(RTM_GETADDR, 0);
    struct ifaddrmsg header = {};
    header.ifa_family = static_cast<unsigned char>(family);
    header.ifa_index = static_cast<unsigned>(index);
    if (nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO) < 0) throw std::bad_alloc();
    return message;
  };
  dumpAll(
      socket, ask, [&] { addresses.clear(); },
      [&](struct nlmsghdr *message) {
        if (message->nlmsg_type != RTM_NEWADDR) return;
        const auto *header = static_cast<struct ifaddrmsg *>(nlmsg_data(message));
        if (header->ifa_family != AF_INET && header->ifa_family != AF_INET6) return;
        if (index != 0 && static_cast<int>(header->ifa_index) != index) return;
        constexpr int size = sizeof(struct ifaddrmsg);
        // IFA_LOCAL is the link's own address; on point-to-point links IFA_ADDRESS is the peer's. IPv6 often has only IFA_ADDRESS.
        const std::string local = bytesOf(find(message, size, IFA_LOCAL));
        const std::string address = bytesOf(find(message, size, IFA_ADDRESS));
        const std::string text = cidr(header->ifa_family, local.empty() ? address : local, header->ifa_prefixlen);
        if (!text.empty()) addresses.push_back({static_cast<int>(header->ifa_index), text, *header, local, address});
      });
  return addresses;
}

void readRoutes(NetlinkSocket &socket, int family, std::vector<std::string> &routes) {
  std::set<std::string> seen;
  auto ask = [family] {
    Message message = makeMessage(RTM_GETROUTE, 0);
    struct rtmsg header = {};
    header.rtm_family = static_cast<unsigned char>(family);
    if (nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO) < 0) throw std::bad_alloc();
    return message;
  };
  dumpAll(
      socket, ask, [&] { seen.clear(); },
      [&](struct nlmsghdr *message) {
        if (message->nlmsg_type != RTM_NEWROUTE) return;
        const auto *header = static_cast<struct rtmsg *>(nlmsg_data(message));
        if (header->rtm_family != family || (header->rtm_flags & RTM_F_CLONED)) return;
        constexpr int size = sizeof(struct rtmsg);
        uint32_t table = header->rtm_table;
        if (auto *wide = find(message, size, RTA_TABLE)) table = nla_get_u32(wide);
        if (table == RT_TABLE_LOCAL) return;
        std::string destination = bytesOf(find(message, size, RTA_DST));
        if (destination.empty()) destination.assign(family == AF_INET ? 4 : 16, '\0');
        const std::string text = cidr(family, destination, header->rtm_dst_len);
        if (!text.empty()) seen.insert(text);
      });
  routes.insert(routes.end(), seen.begin(), seen.end());
}

/** What cannot be one is not there: a name that is no UTF-8 grows when it is told to JavaScript, and comes back as such. */
bool canBeName(const std::string &name) { return !name.empty() && name.size() < IFNAMSIZ; }

std::string linkName(const std::string &name) {
  if (!canBeName(name)) throw NetlinkError(EINVAL, "a link's name has 1 to 15 characters");
  return name;
}

unsigned indexOf(const std::string &name) {
  const unsigned index = if_nametoindex(linkName(name).c_str());
  if (index == 0) {
    const int number = errno;
    if (number == ENODEV || number == ENXIO) throw NetlinkError(ENODEV, "there is no link \"" + name + "\"");
    throw NetlinkError(number, "the link \"" + name + "\" cannot be looked up");
  }
  return index;
}

void putChange(Message &message, const LinkChange &change) {
  if (change.mtu) putAttribute(message, IFLA_MTU, &*change.mtu, sizeof(unsigned));
  if (change.alias) putAttribute(message, IFLA_IFALIAS, change.alias->c_str(), change.alias->size());
  if (change.hwaddr) {
    unsigned char bytes[6];
    char rest;
    if (sscanf(change.hwaddr->c_str(), "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &bytes[0], &bytes[1], &bytes[2], &bytes[3], &bytes[4],
               &bytes[5], &rest) != 6) {
      throw NetlinkError(EINVAL, "\"" + *change.hwaddr + "\" is not a hardware address");
    }
    putAttribute(message, IFLA_ADDRESS, bytes, sizeof bytes);
  }
  if (change.master) {
    const uint32_t index = change.master->empty() ? 0 : indexOf(*change.master);
    putAttribute(message, IFLA_MASTER, &index, sizeof index);
  }
}

Message linkMessage(int type, int flags, const std::string &name, std::optional<bool> up) {
  Message message = makeMessage(type, flags);
  struct ifinfomsg header = {};
  if (up) {
    header.ifi_change = IFF_UP;
    header.ifi_flags = *up ? IFF_UP : 0;
  }
  if (nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO) < 0) throw std::bad_alloc();
  putText(message, IFLA_IFNAME, linkName(name));
  return message;
}

Message addressMessage(int type, int flags, const struct ifaddrmsg &header, const std::string &local, const std::string &address) {
  Message message = makeMessage(type, flags);
  if (nlmsg_append(message.get(), const_cast<struct ifaddrmsg *>(&header), sizeof header, NLMSG_ALIGNTO) < 0) throw std::bad_alloc();
  if (!local.empty()) putAttribute(message, IFA_LOCAL, local.data(), local.size());
  if (!address.empty()) putAttribute(message, IFA_ADDRESS, address.data(), address.size());
  return message;
}

/** The request that adds an address given as text, `ADDRESS/PREFIX`. Parsed strictly: libnl's parser takes what follows a number too. */
Message newAddress(unsigned index, const std::string &text) {
  const NetlinkError invalid(EINVAL, "\"" + text + "\" is not an address with a prefix length");
  const size_t slash = text.find('/');
  if (slash == std::string::npos) throw invalid;
  const int family = text.find(':') == std::string::npos ? AF_INET : AF_INET6;
  const size_t size = family == AF_INET ? 4 : 16;
  char bytes[16];
  if (inet_pton(family, text.substr(0, slash).c_str(), bytes) != 1) throw invalid;
  unsigned prefix = 0;
  const char *end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data() + slash + 1, end, prefix);
  if (error != std::errc() || stopped != end || prefix > size * 8) throw invalid;
  struct ifaddrmsg header = {};
  header.ifa_family = static_cast<unsigned char>(family);
  header.ifa_prefixlen = static_cast<unsigned char>(prefix);
  header.ifa_index = index;
  const std::string address(bytes, size);
  return addressMessage(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, header, address, address);
}

/** A socket belongs to the network namespace it is made in; which one a thread is in, is the thread's own (network_namespaces(7)). */
std::unique_ptr<NetlinkSocket> socketIn(int netns) {
  const OwnedFd home(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!home.valid() || setns(netns, CLONE_NEWNET) != 0) throw NetlinkError(errno, "the network namespace cannot be entered");
  std::unique_ptr<NetlinkSocket> made;
  std::exception_ptr failure;
  try {
    made = std::make_unique<NetlinkSocket>();
  } catch (...) {
    failure = std::current_exception();
  }
  // A thread lost in a container's namespace must never do other work.
  if (setns(home.get(), CLONE_NEWNET) != 0) abort();
  if (failure) std::rethrow_exception(failure);
  return made;
}

bool isLinkLocal6(const Address &one) { return one.header.ifa_family == AF_INET6 && one.header.ifa_scope == RT_SCOPE_LINK; }

/** Throws ENODEV when it is not there, or goes away meanwhile. */
Link readLink(NetlinkSocket &socket, const std::string &name) {
  Message message = linkQuestion();
  putText(message, IFLA_IFNAME, linkName(name));
  std::optional<Link> link;
  socket.ask(std::move(message), [&](struct nlmsghdr *answer) {
    if (answer->nlmsg_type == RTM_NEWLINK) link = parseLink(answer);
  });
  if (!link) throw NetlinkError(EIO, "the question for the link \"" + name + "\" was not answered");
  char master[IFNAMSIZ];
  if (link->master != 0 && if_indextoname(static_cast<unsigned>(link->master), master)) link->masterName = master;
  for (const int family : {AF_INET, AF_INET6}) {
    for (const Address &address : readAddresses(socket, family, link->index)) link->addresses.push_back(address.text);
  }
  return *link;
}

}  // namespace

Network readNetwork() {
  NetlinkSocket socket;
  Network network;
  network.links = readLinks(socket);
  std::unordered_map<int, Link *> byIndex;
  for (Link &link : network.links) byIndex[link.index] = &link;
  for (const Address &address : readAddresses(socket)) {
    const auto at = byIndex.find(address.index);
    if (at != byIndex.end()) at->second->addresses.push_back(address.text);
  }
  readRoutes(socket, AF_INET, network.routes);
  readRoutes(socket, AF_INET6, network.routes);
  return network;
}

std::vector<Link> readSomeLinks(const std::vector<std::string> &names) {
  NetlinkSocket socket(NetlinkSocket::Strict);
  std::vector<Link> links;
  for (const std::string &name : names) {
    if (!canBeName(name)) continue;
    try {
      links.push_back(readLink(socket, name));
    } catch (const NetlinkError &error) {
      if (error.number != ENODEV) throw;
    }
  }
  return links;
}

std::vector<std::string> presentLinks(const std::vector<std::string> &names) {
  std::vector<std::string> present;
  for (const std::string &name : names) {
    if (!canBeName(name)) continue;
    if (if_nametoindex(linkName(name).c_str()) != 0) present.push_back(name);
    // Any other failure says nothing about the link.
    else if (errno != ENODEV) throw NetlinkError(errno, "the link \"" + name + "\" cannot be looked for");
  }
  return present;
}

void addBridge(const std::string &name, const LinkChange &initial) {
  Message message = linkMessage(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name, std::nullopt);
  putChange(message, initial);
  struct nlattr *info = nla_nest_start(message.get(), IFLA_LINKINFO);
  if (!info) throw std::bad_alloc();
  putText(message, IFLA_INFO_KIND, "bridge");
  nla_nest_end(message.get(), info);
  NetlinkSocket().request(std::move(message));
}

void addVeth(const std::string &name, const LinkChange &initial, const VethPeer &peer) {
  Message message = linkMessage(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name, std::nullopt);
  putChange(message, initial);
  struct nlattr *info = nla_nest_start(message.get(), IFLA_LINKINFO);
  if (!info) throw std::bad_alloc();
  putText(message, IFLA_INFO_KIND, "veth");
  struct nlattr *data = nla_nest_start(message.get(), IFLA_INFO_DATA);
  struct nlattr *other = data ? nla_nest_start(message.get(), VETH_INFO_PEER) : nullptr;
  struct ifinfomsg header = {};
  if (!other || nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO) < 0) throw std::bad_alloc();
  putText(message, IFLA_IFNAME, linkName(peer.name));
  LinkChange change;
  change.mtu = peer.mtu;
  change.hwaddr = peer.hwaddr;
  putChange(message, change);
  const uint32_t netns = static_cast<uint32_t>(peer.netns);
  putAttribute(message, IFLA_NET_NS_FD, &netns, sizeof netns);
  nla_nest_end(message.get(), other);
  nla_nest_end(message.get(), data);
  nla_nest_end(message.get(), info);
  NetlinkSocket().request(std::move(message));
  // Not at once: the first of two sides cannot be up yet (veth_open gives ENOTCONN without a peer).
  socketIn(peer.netns)->request(linkMessage(RTM_NEWLINK, 0, peer.name, true));
}

void setLink(const std::string &name, const LinkChange &change) {
  Message message = linkMessage(RTM_NEWLINK, 0, name, change.up);
  putChange(message, change);
  NetlinkSocket().request(std::move(message));
}

void deleteLink(const std::string &name) { NetlinkSocket().request(linkMessage(RTM_DELLINK, 0, name, std::nullopt)); }

void setAddresses(const std::string &name, const std::vector<std::string> &addresses) {
  const unsigned index = indexOf(name);
  NetlinkSocket socket;
  const std::set<std::string> wanted(addresses.begin(), addresses.end());
  for (const Address &one : readAddresses(socket)) {
    if (one.index != static_cast<int>(index) || isLinkLocal6(one) || wanted.contains(one.text)) continue;
    try {
      socket.request(addressMessage(RTM_DELADDR, 0, one.header, one.local, one.address));
    } catch (const NetlinkError &error) {
      if (error.number != EADDRNOTAVAIL) throw;  // deleting a primary address takes its secondaries along
    }
  }
  // Read again: the kernel also deletes wanted secondaries of a primary address that went (promote_secondaries, ip-sysctl).
  std::set<std::string> present;
  for (const Address &one : readAddresses(socket)) {
    if (one.index == static_cast<int>(index)) present.insert(one.text);
  }
  for (const std::string &text : addresses) {
    if (present.contains(text)) continue;
    try {
      socket.request(newAddress(index, text));
    } catch (const NetlinkError &error) {
      if (error.number != EEXIST) throw;
    }
  }
}
