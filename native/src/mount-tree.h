// Mount trees by descriptor: the system calls of linux/mount.h, which cannot be included beside sys/mount.h everywhere.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "owned-fd.h"

constexpr unsigned kOpenTreeClone = 1, kOpenTreeCloexec = O_CLOEXEC, kRecursive = 0x8000;
constexpr unsigned kMoveFromEmpty = 0x4, kMoveToEmpty = 0x40;
constexpr uint64_t kReadOnly = 0x1, kNoSuid = 0x2, kNoDev = 0x4;

struct MountAttr {
  uint64_t set, clear, propagation, userns;
};

/** A detached copy of what is mounted at the path, with what is mounted below it. -1 and errno. */
inline int cloneTree(const std::string& path, bool recursive) {
  unsigned flags = kOpenTreeClone | kOpenTreeCloexec | (recursive ? kRecursive : 0);
  return static_cast<int>(syscall(SYS_open_tree, AT_FDCWD, path.c_str(), flags));
}

inline bool setTree(int tree, bool recursive, const MountAttr& attr) {
  return syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | (recursive ? kRecursive : 0), &attr, sizeof attr) == 0;
}

/** Mounts a detached tree. With an empty path, at what the descriptor is of. */
inline bool attachTree(int tree, int at, const std::string& path) {
  return syscall(SYS_move_mount, tree, "", at, path.c_str(), kMoveFromEmpty | (path.empty() ? kMoveToEmpty : 0)) == 0;
}
