// ioctl(2) on btrfs; structures in linux/btrfs.h and linux/btrfs_tree.h. One exported function per ioctl, except deletion, which
// needs the search for subvolumes inside the one to delete: a container's root may make some.
#include "btrfs.h"

#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "async.h"
#include "owned-fd.h"

#ifndef BTRFS_QUOTA_CTL_ENABLE_SIMPLE_QUOTA  // kernel headers before 6.7
#define BTRFS_QUOTA_CTL_ENABLE_SIMPLE_QUOTA 4
#endif

namespace {

struct Split {
  std::string parent;
  std::string name;
};

Split split(const std::string& path) {
  size_t slash = path.rfind('/');
  return {path.substr(0, slash == 0 ? 1 : slash), path.substr(slash + 1)};
}

int openDirectory(const std::string& path) { return open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW); }

int createSubvolume(const std::string& path) {
  Split at = split(path);
  OwnedFd parent(openDirectory(at.parent));
  if (!parent.valid()) return errno;
  btrfs_ioctl_vol_args args = {};
  if (at.name.empty() || at.name.size() > BTRFS_PATH_NAME_MAX) return ENAMETOOLONG;
  memcpy(args.name, at.name.c_str(), at.name.size());
  return ioctl(parent.get(), BTRFS_IOC_SUBVOL_CREATE, &args) == 0 ? 0 : errno;
}

int setReadonly(const std::string& path, bool readonly) {
  OwnedFd volume(openDirectory(path));
  if (!volume.valid()) return errno;
  uint64_t flags = 0;
  if (ioctl(volume.get(), BTRFS_IOC_SUBVOL_GETFLAGS, &flags) != 0) return errno;
  flags = readonly ? flags | BTRFS_SUBVOL_RDONLY : flags & ~static_cast<uint64_t>(BTRFS_SUBVOL_RDONLY);
  return ioctl(volume.get(), BTRFS_IOC_SUBVOL_SETFLAGS, &flags) == 0 ? 0 : errno;
}

// Id of the subvolume that `fd` lies in.
int subvolumeId(int fd, uint64_t* id) {
  btrfs_ioctl_ino_lookup_args args = {};
  args.objectid = BTRFS_FIRST_FREE_OBJECTID;
  if (ioctl(fd, BTRFS_IOC_INO_LOOKUP, &args) != 0) return errno;
  *id = args.treeid;
  return 0;
}

// Ids of the subvolumes that lie directly in subvolume `parent`: the ROOT_REF items of the root tree.
int childSubvolumes(int fd, uint64_t parent, std::vector<uint64_t>* children) {
  btrfs_ioctl_search_args args = {};
  btrfs_ioctl_search_key& key = args.key;
  key.tree_id = BTRFS_ROOT_TREE_OBJECTID;
  key.min_objectid = key.max_objectid = parent;
  key.min_type = key.max_type = BTRFS_ROOT_REF_KEY;
  key.max_offset = UINT64_MAX;
  key.max_transid = UINT64_MAX;
  for (;;) {
    key.nr_items = 4096;
    if (ioctl(fd, BTRFS_IOC_TREE_SEARCH, &args) != 0) return errno;
    if (key.nr_items == 0) return 0;
    size_t at = 0;
    btrfs_ioctl_search_header header = {};
    for (uint32_t item = 0; item < key.nr_items; item++) {
      memcpy(&header, args.buf + at, sizeof header);
      at += sizeof header + header.len;
      children->push_back(header.offset);
    }
    if (header.offset == UINT64_MAX) return 0;
    key.min_offset = header.offset + 1;
  }
}

// By id, not by path: no name or link that a container's root made is ever followed. Deepest first.
int deleteChildren(int fd, uint64_t parent, int depth) {
  if (depth > 100) return ELOOP;
  std::vector<uint64_t> children;
  int error = childSubvolumes(fd, parent, &children);
  if (error != 0) return error;
  for (uint64_t child : children) {
    error = deleteChildren(fd, child, depth + 1);
    if (error != 0) return error;
    btrfs_ioctl_vol_args_v2 args = {};
    args.flags = BTRFS_SUBVOL_SPEC_BY_ID;
    args.subvolid = child;
    if (ioctl(fd, BTRFS_IOC_SNAP_DESTROY_V2, &args) != 0 && errno != ENOENT) return errno;
  }
  return 0;
}

// Missing is fine.
int destroySubvolume(const Split& at) {
  OwnedFd parent(openDirectory(at.parent));
  if (!parent.valid()) return errno == ENOENT ? 0 : errno;
  btrfs_ioctl_vol_args args = {};
  if (at.name.empty() || at.name.size() > BTRFS_PATH_NAME_MAX) return ENAMETOOLONG;
  memcpy(args.name, at.name.c_str(), at.name.size());
  if (ioctl(parent.get(), BTRFS_IOC_SNAP_DESTROY, &args) == 0 || errno == ENOENT) return 0;
  if (errno != ENOTEMPTY) return errno;
  uint64_t id = 0;
  {
    OwnedFd volume(openDirectory(at.parent + "/" + at.name));
    if (!volume.valid()) return errno;
    int error = subvolumeId(volume.get(), &id);
    if (error != 0) return error;
  }
  int error = deleteChildren(parent.get(), id, 0);
  if (error != 0) return error;
  return ioctl(parent.get(), BTRFS_IOC_SNAP_DESTROY, &args) == 0 || errno == ENOENT ? 0 : errno;
}

// Where a snapshot is made before it is moved to its place.
const std::string kNursery = ".new-";

// Removes the nursery of the volume `at`. A subvolume of that name is an image that is being unpacked (image-volume.ts): left alone.
int clearNursery(const Split& at) {
  std::string nursery = at.parent + "/" + kNursery + at.name;
  struct stat info = {};
  if (lstat(nursery.c_str(), &info) != 0) return errno == ENOENT ? 0 : errno;
  if (!S_ISDIR(info.st_mode) || info.st_ino == BTRFS_FIRST_FREE_OBJECTID) return 0;
  int error = destroySubvolume({nursery, at.name});
  if (error != 0) return error;
  // Not empty: it holds what no snapshot has made.
  return rmdir(nursery.c_str()) == 0 || errno == ENOENT || errno == ENOTEMPTY ? 0 : errno;
}

// With the subvolumes inside it, and with what an interrupted snapshot to there has left, which may also be named itself. Missing is fine.
int deleteSubvolume(const std::string& path) {
  Split at = split(path);
  bool isNursery = at.name.compare(0, kNursery.size(), kNursery) == 0;
  int error = clearNursery(isNursery ? Split{at.parent, at.name.substr(kNursery.size())} : at);
  return error == 0 ? destroySubvolume(at) : error;
}

int snapshotInto(const std::string& directory, const std::string& name, const std::string& source) {
  OwnedFd from(openDirectory(source));
  if (!from.valid()) return errno;
  OwnedFd parent(openDirectory(directory));
  if (!parent.valid()) return errno;
  btrfs_ioctl_vol_args_v2 args = {};
  if (name.empty() || name.size() > BTRFS_SUBVOL_NAME_MAX) return ENAMETOOLONG;
  memcpy(args.name, name.c_str(), name.size());
  args.fd = from.get();
  return ioctl(parent.get(), BTRFS_IOC_SNAP_CREATE_V2, &args) == 0 ? 0 : errno;
}

// EEXIST also for what an interrupted one has left; deleteSubvolume takes it away.
// A snapshot commits the file system, and the directory it goes into is locked meanwhile: in one directory they are made one after another.
// Those in directories of their own that come together share a commit (50, 8 wide: 70 to 95 ms instead of 160 to 300).
int snapshot(const std::string& source, const std::string& destination) {
  Split at = split(destination);
  std::string nursery = at.parent + "/" + kNursery + at.name;
  if (mkdir(nursery.c_str(), 0700) != 0) return errno;
  int error = snapshotInto(nursery, at.name, source);
  if (error == 0 && renameat2(AT_FDCWD, (nursery + "/" + at.name).c_str(), AT_FDCWD, destination.c_str(), RENAME_NOREPLACE) != 0) error = errno;
  int left = clearNursery(at);
  return error != 0 ? error : left;
}

int enableQuota(const std::string& path, bool simple) {
  OwnedFd pool(openDirectory(path));
  if (!pool.valid()) return errno;
  btrfs_ioctl_quota_ctl_args args = {};
  args.cmd = simple ? BTRFS_QUOTA_CTL_ENABLE_SIMPLE_QUOTA : BTRFS_QUOTA_CTL_ENABLE;
  return ioctl(pool.get(), BTRFS_IOC_QUOTA_CTL, &args) == 0 ? 0 : errno;
}

// Limits what the subvolume refers to; 0 removes the limit. Asked through the directory it lies in: the kernel reserves room for the change in
// the subvolume it is asked through (btrfs_ioctl_qgroup_limit), and a full one has none (EDQUOT).
int limitSubvolume(const std::string& path, uint64_t bytes) {
  OwnedFd volume(openDirectory(path));
  if (!volume.valid()) return errno;
  btrfs_ioctl_qgroup_limit_args args = {};
  uint64_t id = 0;
  if (int error = subvolumeId(volume.get(), &id)) return error;
  args.qgroupid = id;
  OwnedFd parent(openDirectory(split(path).parent));
  if (!parent.valid()) return errno;
  args.lim.flags = BTRFS_QGROUP_LIMIT_MAX_RFER;
  args.lim.max_rfer = bytes == 0 ? UINT64_MAX : bytes;  // all bits set: the kernel takes the limit away
  return ioctl(parent.get(), BTRFS_IOC_QGROUP_LIMIT, &args) == 0 ? 0 : errno;
}

// Lets the file system use all of a device that has grown.
int growToDevice(const std::string& path) {
  OwnedFd pool(openDirectory(path));
  if (!pool.valid()) return errno;
  btrfs_ioctl_vol_args args = {};
  snprintf(args.name, sizeof args.name, "1:max");
  return ioctl(pool.get(), BTRFS_IOC_RESIZE, &args) == 0 ? 0 : errno;
}

std::string text(const Napi::CallbackInfo& info, size_t at) { return info[at].As<Napi::String>().Utf8Value(); }

// `call` returns 0 or an errno, which becomes an error with that code.
Napi::Promise start(const Napi::CallbackInfo& info, const char* what, const std::string& path, std::function<int()> call) {
  return runAsync(info.Env(), [what = std::string(what), path, call = std::move(call)] {
    int error = call();
    if (error != 0) throw systemFailure(what + " " + path, error);
    return undefinedResult();
  });
}

Napi::Value createSubvolumeJs(const Napi::CallbackInfo& info) {
  std::string path = text(info, 0);
  return start(info, "create subvolume", path, [path] { return createSubvolume(path); });
}

Napi::Value snapshotJs(const Napi::CallbackInfo& info) {
  std::string source = text(info, 0);
  std::string destination = text(info, 1);
  return start(info, "snapshot to", destination, [=] { return snapshot(source, destination); });
}

Napi::Value setReadonlyJs(const Napi::CallbackInfo& info) {
  std::string path = text(info, 0);
  bool readonly = info[1].As<Napi::Boolean>().Value();
  return start(info, "set read-only", path, [=] { return setReadonly(path, readonly); });
}

Napi::Value deleteSubvolumeJs(const Napi::CallbackInfo& info) {
  std::string path = text(info, 0);
  return start(info, "delete subvolume", path, [path] { return deleteSubvolume(path); });
}

Napi::Value enableQuotaJs(const Napi::CallbackInfo& info) {
  std::string path = text(info, 0);
  bool simple = info[1].As<Napi::Boolean>().Value();
  return start(info, "enable quotas on", path, [=] { return enableQuota(path, simple); });
}

Napi::Value limitSubvolumeJs(const Napi::CallbackInfo& info) {
  std::string path = text(info, 0);
  uint64_t bytes = static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value());
  return start(info, "limit subvolume", path, [=] { return limitSubvolume(path, bytes); });
}

Napi::Value growToDeviceJs(const Napi::CallbackInfo& info) {
  std::string path = text(info, 0);
  return start(info, "grow", path, [path] { return growToDevice(path); });
}

}  // namespace

void initBtrfs(Napi::Env env, Napi::Object exports) {
  Napi::Object btrfs = Napi::Object::New(env);
  btrfs.Set("createSubvolume", Napi::Function::New(env, createSubvolumeJs));
  btrfs.Set("snapshot", Napi::Function::New(env, snapshotJs));
  btrfs.Set("setReadonly", Napi::Function::New(env, setReadonlyJs));
  btrfs.Set("deleteSubvolume", Napi::Function::New(env, deleteSubvolumeJs));
  btrfs.Set("enableQuota", Napi::Function::New(env, enableQuotaJs));
  btrfs.Set("limitSubvolume", Napi::Function::New(env, limitSubvolumeJs));
  btrfs.Set("growToDevice", Napi::Function::New(env, growToDeviceJs));
  exports.Set("btrfs", btrfs);
}
