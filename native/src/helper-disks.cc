// What is behind helper-disks.h.
#include "helper-disks.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>

#include <lxc/lxccontainer.h>

#include "helper.h"
#include "mount-tree.h"

namespace {

constexpr const char* kMounts = "lxc.mount.entry";

std::string failed(const std::string& what) { return what + ": " + strerror(errno) + "."; }

/** A line of `lxc.mount.entry`: fields of fstab(5). */
struct Entry {
  std::string source, rest, options;

  bool has(const char* option) const { return ("," + options + ",").find("," + std::string(option) + ",") != std::string::npos; }
  /** What is optional is of the host's kernel or of lxcfs: all may pass there, and some of it is not to be copied. */
  bool isBind() const { return (has("bind") || has("rbind")) && !has("optional"); }
};

Entry parse(const std::string& line) {
  size_t source = line.find(' '), target = line.find(' ', source + 1), type = line.find(' ', target + 1);
  if (source == std::string::npos || target == std::string::npos || type == std::string::npos) return {};
  return {line.substr(0, source), line.substr(source), line.substr(type + 1, line.find(' ', type + 1) - type - 1)};
}

std::string decode(const std::string& field) {
  std::string out;
  for (size_t i = 0; i < field.size(); i++) {
    bool octal = field[i] == '\\' && i + 3 < field.size();
    for (size_t n = 1; octal && n <= 3; n++) octal = field[i + n] >= '0' && field[i + n] <= '7';
    out += octal ? static_cast<char>(strtol(field.substr(i + 1, 3).c_str(), nullptr, 8)) : field[i];
    if (octal) i += 3;
  }
  return out;
}

std::string encode(const std::string& path) {
  std::string out;
  char text[5];
  for (unsigned char c : path) {
    if (c <= ' ' || c == '\\') snprintf(text, sizeof text, "\\%03o", c);
    out += c <= ' ' || c == '\\' ? std::string(text) : std::string(1, static_cast<char>(c));
  }
  return out;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0, end; at < text.size(); at = end + 1) {
    end = std::min(text.find('\n', at), text.size());
    if (end > at) lines.push_back(text.substr(at, end - at));
  }
  return lines;
}

std::vector<std::string> linesOf(struct lxc_container* c, const char* key) {
  int length = c->get_config_item(c, key, nullptr, 0);
  if (length <= 0) return {};
  std::string text(static_cast<size_t>(length) + 1, '\0');
  c->get_config_item(c, key, text.data(), length + 1);
  text.resize(static_cast<size_t>(length));
  return split(text);
}

bool makeTarget(const std::string& path, bool directory) {
  if (directory) return mkdir(path.c_str(), 0755) == 0;
  int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/** Nodes are made for the container where its root can pass. What is not there has to be said. */
bool isDisk(const Entry& entry) {
  struct stat info;
  return entry.isBind() && (stat(decode(entry.source).c_str(), &info) != 0 || S_ISDIR(info.st_mode) || S_ISREG(info.st_mode));
}

/** Mounts the entry's source at the path. */
bool mountSource(const Entry& entry, const std::string& at) {
  bool recursive = entry.has("rbind");
  OwnedFd tree(cloneTree(decode(entry.source), recursive));
  struct stat info;
  return tree.valid() && fstat(tree.get(), &info) == 0 && (!entry.has("ro") || setTree(tree.get(), recursive, {kReadOnly, 0, 0, 0})) &&
         makeTarget(at, S_ISDIR(info.st_mode)) && attachTree(tree.get(), AT_FDCWD, at);
}

/**
 * Lets go of the pools that the container does not need. Where mounts of the host are not shared, as without systemd, unmounting one there
 * does not reach this namespace, and its loop device would be busy for as long as the container runs.
 */
void leavePools(struct lxc_container* c, const std::string& place, const std::vector<std::string>& entries) {
  std::vector<std::string> needed = linesOf(c, "lxc.rootfs.path");
  for (std::string& path : needed) path.erase(0, path.find('/'));
  for (const std::string& line : entries) needed.push_back(decode(parse(line).source));
  // As in src/core/paths.ts.
  std::string pools = place.substr(0, place.rfind("/instances/")) + "/pools/";
  int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
  std::string table = fd < 0 ? "" : protocol::readAll(fd, 16 * 1024 * 1024).value_or("");
  if (fd >= 0) close(fd);
  for (const std::string& line : split(table)) {
    // proc_pid_mountinfo(5): the mount point is the fifth field.
    size_t at = 0;
    for (int field = 1; field < 5 && at != std::string::npos; field++) at = line.find(' ', at + 1);
    if (at == std::string::npos) continue;
    std::string point = decode(line.substr(at + 1, line.find(' ', at + 1) - at - 1));
    bool isNeeded = std::any_of(needed.begin(), needed.end(), [&point](const std::string& path) { return (path + "/").starts_with(point + "/"); });
    if (point.starts_with(pools) && !isNeeded) umount2(point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  }
}

}  // namespace

HostDisks::HostDisks(struct lxc_container* c, const std::string& directory)
    : container_(c), place_(directory + "/disks"), entries_(linesOf(c, kMounts)) {
  bool any = std::any_of(entries_.begin(), entries_.end(), [](const std::string& line) { return isDisk(parse(line)); });
  // The root of a privileged container is the host's: nothing is locked for it, and it may pass everywhere.
  if (!any || linesOf(c, "lxc.idmap").empty()) return;
  problem_ = prepare();
  if (problem_.empty()) problem_ = takeFromPlace();
  if (!problem_.empty()) leave();
}

void HostDisks::leave() {
  if (outside_ < 0) return;
  if (setns(outside_, CLONE_NEWNS) == 0) rmdir(place_.c_str());
  close(outside_);
  outside_ = -1;
  container_->clear_config_item(container_, kMounts);
  for (const std::string& line : entries_) container_->set_config_item(container_, kMounts, line.c_str());
}

std::string HostDisks::prepare() {
  outside_ = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  if (outside_ < 0) return failed("The host's mount namespace cannot be held");
  if (mkdir(place_.c_str(), 0711) != 0 && errno != EEXIST) return failed("The directory \"" + place_ + "\" cannot be made");
  // A slave: what is unmounted on the host goes here too, and nothing goes the other way.
  if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0)
    return failed("The monitor's mount namespace cannot be made");
  leavePools(container_, place_, entries_);
  if (mount("tmpfs", place_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0711,size=1m") != 0)
    return failed("A tmpfs cannot be mounted on \"" + place_ + "\"");
  return "";
}

/** In their order: one may lie in another. */
std::string HostDisks::takeFromPlace() {
  if (!container_->clear_config_item(container_, kMounts)) return "liblxc does not let go of the mounts.";
  for (size_t i = 0; i < entries_.size(); i++) {
    Entry entry = parse(entries_[i]);
    std::string line = entries_[i];
    if (isDisk(entry)) {
      std::string at = place_ + "/" + std::to_string(i);
      if (!mountSource(entry, at)) return failed("The source \"" + decode(entry.source) + "\" cannot be mounted");
      line = encode(at) + entry.rest;
    }
    if (!container_->set_config_item(container_, kMounts, line.c_str())) return "liblxc does not take the mount \"" + line + "\".";
  }
  return "";
}

int lockedCopy(int tree, bool directory, int init) {
  // Covered for this process alone; whatever is there, "/proc" is a directory and this a file that every user may pass to.
  const char* at = directory ? "/proc" : "/proc/uptime";
  if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0 || !attachTree(tree, AT_FDCWD, at) ||
      setns(init, CLONE_NEWUSER) != 0 || unshare(CLONE_NEWNS) != 0)
    return -1;
  return cloneTree(at, true);
}
