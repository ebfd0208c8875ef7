// Mounts put into and taken out of a container that runs. The source is opened on the host, as root; then the child becomes the root of
// the container (its user and mount namespaces), who can reach and change nothing that the container's own root could not, and attaches
// it there. The container's root controls every path inside: each step of the way is one name in a directory that is held open, and a
// symbolic link is refused, as liblxc refuses it at a start (utils.c, open_without_symlink).
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/openat2.h>

#include "helper-disks.h"
#include "helper.h"
#include "mount-tree.h"

namespace {

struct Problem {
  const char* code;
  std::string what;
  int error;
};

constexpr unsigned kFsmountCloexec = 1, kFsopenCloexec = 1, kConfigString = 1, kConfigFlag = 0, kConfigCreate = 6;

Problem refused(const std::string& what, int error) { return {"DEVICE_REFUSED", what, error}; }

ino_t namespaceOf(const std::string& process, const char* kind) {
  struct stat info;
  std::string path = "/proc/" + process + "/ns/" + kind;
  if (stat(path.c_str(), &info) != 0) throw Problem{"LXC_NOT_RUNNING", "The container's namespaces cannot be looked at", errno};
  return info.st_ino;
}

pid_t parentOf(pid_t pid) {
  int fd = open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  std::string text = protocol::readAll(fd, 4096).value_or("");
  close(fd);
  // The name in parentheses can hold anything, so count from the last one: state, ppid.
  size_t at = text.rfind(')');
  return at == std::string::npos || at + 4 > text.size() ? -1 : static_cast<pid_t>(atol(text.c_str() + at + 4));
}

/** Holds the container's init. If the pid still is the monitor's child once the pidfd is open, it was so all the time. */
int openInit(const std::string& init, const std::string& monitor) {
  pid_t pid = static_cast<pid_t>(atol(init.c_str()));
  int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0 || parentOf(pid) != static_cast<pid_t>(atol(monitor.c_str())))
    throw Problem{"LXC_NOT_RUNNING", "The container's init has ended", ESRCH};
  if (namespaceOf(init, "mnt") == namespaceOf("self", "mnt"))
    throw Problem{"LXC_NOT_RUNNING", "The container has no mount namespace of its own", EINVAL};
  return pidfd;
}

bool isMapped(const std::string& init) { return namespaceOf(init, "user") != namespaceOf("self", "user"); }

/** From here on this process is the container's root in its mount namespace. */
void enter(int pidfd, bool mapped, bool inUser = false) {
  if (setns(pidfd, CLONE_NEWNS | (mapped && !inUser ? CLONE_NEWUSER : 0)) != 0)
    throw Problem{"LXC_NOT_RUNNING", "The container's namespaces cannot be entered", errno};
  if (!mapped) return;
  // Before, while its ids are not the namespace's, what it makes would belong to nobody. Groups cannot be dropped everywhere.
  (void)!setgroups(0, nullptr);
  if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) throw refused("The container's root cannot be taken on", errno);
}

/** One name in a directory. Never O_NOFOLLOW: with it and O_PATH a symbolic link is opened itself, in spite of what is asked below. */
int step(int at, const std::string& name, uint64_t flags) {
  struct open_how how = {};
  how.flags = flags | O_CLOEXEC;
  if ((flags & O_CREAT) != 0) how.mode = 0644;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(syscall(SYS_openat2, at, name.c_str(), &how, sizeof how));
}

struct Place {
  int parent;
  std::string name;
};

/** The directory a target lies in. With `make`, what is missing on the way is made; else -1 when it is missing. */
Place placeOf(const std::string& target, bool make) {
  size_t last = target.rfind('/');
  std::string name = last == std::string::npos ? "" : target.substr(last + 1);
  if (target.empty() || target[0] != '/' || name.empty() || name == "." || name == ".." || target.find("/../") != std::string::npos ||
      target.find('\0') != std::string::npos)
    throw refused("\"" + target + "\" is not an absolute path of a directory or file", EINVAL);
  int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (at < 0) throw refused("The container's root directory cannot be opened", errno);
  size_t start = 1;
  for (size_t end; (end = target.find('/', start)) < last + 1 && end != std::string::npos; start = end + 1) {
    std::string part = target.substr(start, end - start);
    if (part.empty() || part == ".") continue;
    if (make && mkdirat(at, part.c_str(), 0755) != 0 && errno != EEXIST)
      throw refused("The directory \"" + target.substr(0, end) + "\" cannot be made in the container", errno);
    int next = step(at, part, O_PATH | O_DIRECTORY);
    int error = errno;
    close(at);
    at = next;
    if (at >= 0) continue;
    if (!make && (error == ENOENT || error == ENOTDIR || error == ELOOP)) return {-1, name};
    throw refused("\"" + target.substr(0, end) + "\" in the container is not a directory, or is a symbolic link", error);
  }
  return {at, name};
}

int openTarget(const Place& place, const std::string& target, bool directory) {
  if (directory) {
    if (mkdirat(place.parent, place.name.c_str(), 0755) != 0 && errno != EEXIST)
      throw refused("The directory \"" + target + "\" cannot be made in the container", errno);
  } else {
    int made = step(place.parent, place.name, O_WRONLY | O_CREAT | O_EXCL);
    if (made < 0 && errno != EEXIST && errno != ELOOP) throw refused("The file \"" + target + "\" cannot be made in the container", errno);
    if (made >= 0) close(made);
  }
  int fd = step(place.parent, place.name, static_cast<uint64_t>(O_PATH) | (directory ? O_DIRECTORY : 0));
  if (fd < 0) throw refused("\"" + target + "\" in the container is a symbolic link, or not what can be mounted on", errno);
  return fd;
}

int bindTree(const std::string& source, const std::string& kind, bool readonly, bool recursive) {
  int tree = cloneTree(source, recursive);
  if (tree < 0) throw Problem{"DEVICE_MISSING", "The source \"" + source + "\" cannot be opened", errno};
  struct stat info;
  if (fstat(tree, &info) != 0) throw Problem{"DEVICE_MISSING", "The source \"" + source + "\" cannot be looked at", errno};
  bool right = kind == "directory" ? S_ISDIR(info.st_mode) : kind == "node" ? S_ISCHR(info.st_mode) : !S_ISDIR(info.st_mode);
  if (!right) throw Problem{"DEVICE_MISSING", "The source \"" + source + "\" is something else by now", EINVAL};
  // A slave, as liblxc's own mounts are: what is mounted below it inside must never reach the host.
  if (!setTree(tree, recursive, {readonly ? kReadOnly : 0, 0, MS_SLAVE, 0}))
    throw refused("The mount of \"" + source + "\" cannot be prepared", errno);
  return tree;
}

/** Made inside, so that it belongs to the container's user namespace and root. */
int tmpfsTree(const std::string& size, bool readonly) {
  int fs = static_cast<int>(syscall(SYS_fsopen, "tmpfs", kFsopenCloexec));
  auto set = [fs](unsigned command, const char* key, const char* value) { return fs >= 0 && syscall(SYS_fsconfig, fs, command, key, value, 0) == 0; };
  bool ok = set(kConfigString, "source", "tmpfs") && (size.empty() || set(kConfigString, "size", size.c_str())) &&
            (!readonly || set(kConfigFlag, "ro", nullptr)) && set(kConfigCreate, nullptr, nullptr);
  int tree = ok ? static_cast<int>(syscall(SYS_fsmount, fs, kFsmountCloexec, kNoSuid | kNoDev | (readonly ? kReadOnly : 0))) : -1;
  if (tree < 0) throw refused("A tmpfs cannot be made in the container", errno);
  close(fs);
  return tree;
}

void plug(const std::vector<std::string>& fields) {
  const std::string &kind = fields[3], &source = fields[4], &target = fields[5], &size = fields[8];
  bool readonly = fields[6] == "1", recursive = fields[7] == "1";
  OwnedFd init(openInit(fields[0], fields[1]));
  bool mapped = isMapped(fields[0]), directory = kind == "directory" || kind == "tmpfs";
  OwnedFd bound(kind == "tmpfs" ? -1 : bindTree(source, kind, readonly, recursive));
  bool lock = bound.valid() && readonly && mapped;
  OwnedFd locked(lock ? lockedCopy(bound.get(), directory, init.get()) : -1);
  if (lock && !locked.valid()) throw refused("The mount of \"" + source + "\" cannot be made read-only for good", errno);
  enter(init.get(), mapped, lock);
  OwnedFd made(kind == "tmpfs" ? tmpfsTree(size, readonly) : -1);
  Place place = placeOf(target, true);
  OwnedFd parent(place.parent), at(openTarget(place, target, directory));
  if (!attachTree(made.valid() ? made.get() : lock ? locked.get() : bound.get(), at.get(), ""))
    throw refused("\"" + target + "\" cannot be mounted on in the container", errno);
}

void unplug(const std::vector<std::string>& fields) {
  const std::string &kind = fields[3], &target = fields[5];
  OwnedFd init(openInit(fields[0], fields[1]));
  enter(init.get(), isMapped(fields[0]));
  Place place = placeOf(target, false);
  if (place.parent < 0) return;
  OwnedFd parent(place.parent);
  // By its name in the directory that is held: /proc in there is the container's.
  if (fchdir(parent.get()) != 0) throw refused("The directory of \"" + target + "\" cannot be entered", errno);
  // What the guest has mounted over it goes with it. EINVAL: not a mount point (any more).
  for (int i = 0; i < 1000 && umount2(place.name.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0; i++) continue;
  struct statx info = {};
  if (statx(parent.get(), place.name.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &info) != 0) return;
  if ((info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) throw refused("\"" + target + "\" cannot be unmounted in the container", EBUSY);
  // The empty file a node was bound over. A directory may have been the image's own, and stays, as after a start.
  if (kind == "node" && S_ISREG(info.stx_mode) && info.stx_size == 0) unlinkat(parent.get(), place.name.c_str(), 0);
}

}  // namespace

[[noreturn]] void runPlug(int socket, const protocol::Message& request) {
  resetProcess(socket);
  signal(SIGPIPE, SIG_IGN);
  try {
    if (request.fields[2] == "plug")
      plug(request.fields);
    else
      unplug(request.fields);
    reply(socket, request.id, protocol::kDone, {});
  } catch (const Problem& problem) {
    replyErrno(socket, request.id, problem.code, problem.what, problem.error);
  }
  _exit(0);
}
