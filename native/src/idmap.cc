// Asks a file system for an id-mapped mount (mount_setattr(2), MOUNT_ATTR_IDMAP) of a directory in it, without attaching the mount
// anywhere. The user namespace must have a mapping: kernels refuse one without, whatever the file system can do.
#include "idmap.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "async.h"
#include "owned-fd.h"

// glibc before 2.36 has no wrappers and no constants for these.
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif

namespace {

struct MountAttr {
  uint64_t set;
  uint64_t clear;
  uint64_t propagation;
  uint64_t userns;
};

int sleeperMain(void* argument) {
  // Sleeps until it is killed or the pipe is closed; does nothing else, since it shares our memory.
  char byte;
  int end = *static_cast<int*>(argument);
  while (read(end, &byte, 1) < 0 && errno == EINTR) {
  }
  syscall(SYS_exit, 0);
  return 0;
}

int writeMap(pid_t pid, const char* name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  OwnedFd file(open(path, O_WRONLY | O_CLOEXEC));
  static const char map[] = "0 1000000 65536\n";
  if (!file.valid()) return errno;
  return write(file.get(), map, sizeof map - 1) < 0 ? errno : 0;
}

// A file descriptor of a user namespace with a mapping, or -1 and errno.
int mappedUserNamespace() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  OwnedFd writeEnd(ends[1]);
  constexpr size_t stackSize = 64 * 1024;
  auto stack = std::make_unique<char[]>(stackSize);
  int readEnd = ends[0];
  // CLONE_VM: no copy of the heap. No exit signal, so that nobody else's SIGCHLD handling sees it. CLONE_FILES: it does not hold
  // copies of our file descriptors; it is killed below, and the pipe only keeps it asleep until then.
  pid_t pid = clone(sleeperMain, stack.get() + stackSize, CLONE_NEWUSER | CLONE_VM | CLONE_FILES, &readEnd);
  if (pid < 0) {
    int error = errno;
    close(readEnd);
    errno = error;
    return -1;
  }
  int error = writeMap(pid, "uid_map");
  if (error == 0) error = writeMap(pid, "gid_map");
  int ns = -1;
  if (error == 0) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    ns = open(path, O_RDONLY | O_CLOEXEC);
    if (ns < 0) error = errno;
  }
  kill(pid, SIGKILL);
  while (waitpid(pid, nullptr, __WCLONE) < 0 && errno == EINTR) {
  }
  close(readEnd);
  errno = error;
  return ns;
}

// `*error` is an errno when the question could not be answered.
bool probe(const std::string& path, int* error) {
  *error = 0;
  OwnedFd tree(static_cast<int>(syscall(SYS_open_tree, AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | O_CLOEXEC)));
  if (!tree.valid()) {
    if (errno != ENOSYS) *error = errno;
    return false;
  }
  OwnedFd ns(mappedUserNamespace());
  if (!ns.valid()) {
    // No user namespaces at all (or none more): containers cannot be mapped either.
    if (errno != EINVAL && errno != EPERM && errno != ENOSPC && errno != EUSERS) *error = errno;
    return false;
  }
  MountAttr attr = {MOUNT_ATTR_IDMAP, 0, 0, static_cast<uint64_t>(ns.get())};
  return syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH, &attr, sizeof attr) == 0;
}

Napi::Value takesIdmappedMounts(const Napi::CallbackInfo& info) {
  std::string path = info[0].As<Napi::String>().Utf8Value();
  return runAsync(info.Env(), [path]() -> Result {
    int error = 0;
    bool answer = probe(path, &error);
    if (error != 0) throw systemFailure("probe id-mapped mounts on " + path, error);
    return [answer](Napi::Env env) -> Napi::Value { return Napi::Boolean::New(env, answer); };
  });
}

}  // namespace

void initIdmap(Napi::Env env, Napi::Object exports) {
  exports.Set("takesIdmappedMounts", Napi::Function::New(env, takesIdmappedMounts));
}
