// Reading and changing links and addresses: plain C++ values in and out, for the netlink thread.
#pragma once
#include <optional>
#include <string>
#include <vector>

struct Link {
  int index = 0;
  std::string name;
  std::string type;
  std::string hwaddr;
  std::string alias;
  unsigned mtu = 0;
  bool up = false;
  int master = 0;
  /** Empty: in none. */
  std::string masterName;
  std::vector<std::string> addresses;
};

struct Network {
  std::vector<Link> links;
  std::vector<std::string> routes;
};

struct LinkChange {
  std::optional<unsigned> mtu;
  std::optional<bool> up;
  std::optional<std::string> hwaddr;
  std::optional<std::string> alias;
  /** Empty: out of its bridge. */
  std::optional<std::string> master;
};

/** Links, addresses and routes of every table but `local`. */
Network readNetwork();
/** As `readNetwork`, of these links only, as far as they are there: a question per name, whatever else the host has. */
std::vector<Link> readSomeLinks(const std::vector<std::string> &names);
/** Which of these links are there: a question per name, whatever else the host has. */
std::vector<std::string> presentLinks(const std::vector<std::string> &names);
void addBridge(const std::string &name, const LinkChange &initial);
/** The other side of a veth pair, in the network namespace that the descriptor is of. */
struct VethPeer {
  std::string name;
  std::string hwaddr;
  std::optional<unsigned> mtu;
  int netns;
};

/** Both sides at once: the other one is born in its namespace with its name, and then brought up there. */
void addVeth(const std::string &name, const LinkChange &initial, const VethPeer &peer);
void setLink(const std::string &name, const LinkChange &change);
void deleteLink(const std::string &name);
/** Makes a link have exactly these addresses; IPv6 link-local ones are left to the kernel. */
void setAddresses(const std::string &name, const std::vector<std::string> &addresses);
