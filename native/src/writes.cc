// Writing in few calls what would be dozens from JS, each with a hop to a thread and back: a directory's small files, an instance's
// directory, a stopped container's control groups, who owns a volume. Every one may be repeated after a crash.
#include <napi.h>

#include "areas.h"
#include "async.h"
#include "owned-fd.h"
#include "protocol.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <thread>

namespace {

/** A record is a few KiB. */
constexpr size_t kMaxCopy = 16 * 1024 * 1024;

struct File {
  std::string name, content;
};

Failure failed(const char* what, const std::string& path) { return systemFailure(std::string(what) + " \"" + path + "\" failed", errno); }

void syncDirectory(const std::string& path) {
  OwnedFd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid() || fsync(directory.get()) != 0) throw failed("Syncing", path);
}

bool holds(const std::string& path, const std::string& content) {
  OwnedFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file.valid()) return false;
  auto there = protocol::readAll(file.get(), content.size());
  return there && *there == content;
}

void writeAll(int fd, const std::string& content, const std::string& path) {
  for (size_t done = 0; done < content.size();) {
    ssize_t n = write(fd, content.data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw failed("Writing", path);
    done += static_cast<size_t>(n);
  }
}

/** `sync`: all contents are on the disk before any name is. */
void replaceFiles(const std::string& directory, const std::vector<File>& files, bool sync) {
  std::vector<const File*> changed;
  std::vector<std::unique_ptr<OwnedFd>> open_;
  for (const auto& file : files) {
    std::string path = directory + "/" + file.name;
    if (holds(path, file.content)) continue;
    std::string fresh = path + ".new";
    unlink(fresh.c_str());
    auto fd = std::make_unique<OwnedFd>(open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd->valid()) throw failed("Making", fresh);
    writeAll(fd->get(), file.content, fresh);
    changed.push_back(&file);
    open_.push_back(std::move(fd));
  }
  for (size_t i = 0; sync && i < changed.size(); i++)
    if (fsync(open_[i]->get()) != 0) throw failed("Syncing", directory + "/" + changed[i]->name + ".new");
  for (const auto* file : changed) {
    std::string path = directory + "/" + file->name;
    if (rename((path + ".new").c_str(), path.c_str()) != 0) throw failed("Placing", path);
  }
}

/**
 * replaceFiles(directory, [name, content, ...], make, sync): readers see the old or the new content (0600), never a part, and so do those
 * after a power cut when `sync` is set: two waits for the disk, however many files. A file that holds its content already is not touched.
 * `make`: the directory is made when it is missing, and is 0711.
 */
Napi::Value ReplaceFiles(const Napi::CallbackInfo& info) {
  std::string directory = info[0].As<Napi::String>();
  bool make = info[2].As<Napi::Boolean>(), sync = info[3].As<Napi::Boolean>();
  auto list = info[1].As<Napi::Array>();
  std::vector<File> files;
  for (uint32_t i = 0; i + 1 < list.Length(); i += 2)
    files.push_back({list.Get(i).As<Napi::String>().Utf8Value(), list.Get(i + 1).As<Napi::String>().Utf8Value()});
  return runAsync(info.Env(), [=]() -> Result {
    bool made = false;
    if (make) {
      made = mkdir(directory.c_str(), 0711) == 0;
      if (!made && errno != EEXIST) throw failed("Making", directory);
      // The umask may have taken bits.
      if (chmod(directory.c_str(), 0711) != 0) throw failed("Setting the mode of", directory);
    }
    replaceFiles(directory, files, sync);
    if (sync) syncDirectory(directory);
    if (sync && made) syncDirectory(std::filesystem::path(directory).parent_path());
    return undefinedResult();
  });
}

/**
 * spreadDirectories(path): the file system puts the directories made in it far from each other (FS_TOPDIR_FL; `chattr +T`). ext4 gives the
 * inode of a deleted file to nobody for a minute or five and steps over it at every new file in that group of blocks (recently_deleted,
 * fs/ext4/ialloc.c): with all instances in one group, fifty starts right after fifty deletions take a tenth longer. Elsewhere nothing.
 */
Napi::Value SpreadDirectories(const Napi::CallbackInfo& info) {
  std::string path = info[0].As<Napi::String>();
  return runAsync(info.Env(), [=]() -> Result {
    OwnedFd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int flags = 0;
    if (directory.valid() && ioctl(directory.get(), FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_TOPDIR_FL) == 0) {
      flags |= FS_TOPDIR_FL;
      (void)ioctl(directory.get(), FS_IOC_SETFLAGS, &flags);
    }
    return undefinedResult();
  });
}

/** copyFile(directory, from, to, removed): `to` has the content of `from` then, and the file `removed` is gone. Not synced. */
Napi::Value CopyFile(const Napi::CallbackInfo& info) {
  std::string directory = info[0].As<Napi::String>(), from = info[1].As<Napi::String>(), to = info[2].As<Napi::String>();
  std::string removed = directory + "/" + info[3].As<Napi::String>().Utf8Value();
  return runAsync(info.Env(), [=]() -> Result {
    std::string path = directory + "/" + from;
    OwnedFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file.valid()) throw failed("Reading", path);
    errno = EFBIG;
    auto content = protocol::readAll(file.get(), kMaxCopy);
    if (!content) throw failed("Reading", path);
    replaceFiles(directory, {{to, *content}}, false);
    if (unlink(removed.c_str()) != 0 && errno != ENOENT) throw failed("Removing", removed);
    return undefinedResult();
  });
}

/** removeDirectory(path, aside): renamed to `aside` first, durably, so that it goes in one step; then everything in it. Missing is fine. */
Napi::Value RemoveDirectory(const Napi::CallbackInfo& info) {
  std::string path = info[0].As<Napi::String>(), aside = info[1].As<Napi::String>();
  return runAsync(info.Env(), [=]() -> Result {
    if (rename(path.c_str(), aside.c_str()) != 0) {
      if (errno == ENOENT) return undefinedResult();
      throw failed("Removing", path);
    }
    syncDirectory(std::filesystem::path(aside).parent_path());
    std::error_code error;
    std::filesystem::remove_all(aside, error);
    if (error) throw systemFailure("Removing \"" + aside + "\" failed", error.value());
    return undefinedResult();
  });
}

std::vector<std::string> directoriesIn(int directory) {
  std::vector<std::string> names;
  int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* stream = copy < 0 ? nullptr : fdopendir(copy);
  if (stream == nullptr) {
    if (copy >= 0) close(copy);
    return names;
  }
  while (struct dirent* entry = readdir(stream)) {
    std::string name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") names.push_back(std::move(name));
  }
  closedir(stream);
  return names;
}

bool removeOne(int parent, const std::string& name) {
  return unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENODEV;
}

/**
 * Everything below and the group itself: 0, or the errno that is in the way. The guest can have made any tree, also one that is deeper than a
 * path can be long: a single descriptor walks through it.
 */
int removeTree(const std::string& path) {
  int at = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (at < 0) return errno == ENOENT || errno == ENODEV ? 0 : errno;
  struct Level {
    std::string name;
    std::vector<std::string> left;
  };
  std::vector<Level> levels = {{"", directoriesIn(at)}};
  auto move = [&at](const std::string& name) {
    int next = openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0) return false;
    close(at);
    at = next;
    return true;
  };
  int error = 0;
  while (error == 0) {
    if (!levels.back().left.empty()) {
      std::string name = std::move(levels.back().left.back());
      levels.back().left.pop_back();
      if (removeOne(at, name)) continue;
      if (errno != EBUSY && errno != ENOTEMPTY) error = errno;
      else if (move(name)) levels.push_back({std::move(name), directoriesIn(at)});
      else if (errno != ENOENT && errno != ENODEV) error = errno;
    } else if (levels.size() == 1) {
      break;
    } else if (!move("..") || !removeOne(at, levels.back().name)) {
      error = errno;
    } else {
      levels.pop_back();
    }
  }
  close(at);
  if (error != 0) return error;
  return rmdir(path.c_str()) == 0 || errno == ENOENT || errno == ENODEV ? 0 : errno;
}

int removeGroup(const std::string& path, std::chrono::steady_clock::time_point deadline) {
  if (rmdir(path.c_str()) == 0 || errno == ENOENT || errno == ENODEV) return 0;
  for (;;) {
    int error = removeTree(path);
    if (error != EBUSY && error != ENOTEMPTY) return error;
    if (std::chrono::steady_clock::now() > deadline) return error;
    // A process that is just ending keeps its group busy.
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

/** removeCgroups(paths, patienceMs): the path that could not be removed in that time; undefined when all are gone. */
Napi::Value RemoveCgroups(const Napi::CallbackInfo& info) {
  auto list = info[0].As<Napi::Array>();
  std::vector<std::string> paths;
  for (uint32_t i = 0; i < list.Length(); i++) paths.push_back(list.Get(i).As<Napi::String>());
  auto patience = std::chrono::milliseconds(info[1].As<Napi::Number>().Int64Value());
  return runAsync(info.Env(), [=]() -> Result {
    auto deadline = std::chrono::steady_clock::now() + patience;
    std::string left;
    for (const auto& path : paths) {
      int error = removeGroup(path, deadline);
      if (error != 0 && left.empty()) left = path + ": " + strerror(error);
    }
    return [left](Napi::Env env) -> Napi::Value { return left.empty() ? env.Undefined() : Napi::String::New(env, left); };
  });
}

/** ownVolume(path, id, mode, link, text): owner and mode of the directory; last, the symbolic link `link` in it says `text`. */
Napi::Value OwnVolume(const Napi::CallbackInfo& info) {
  std::string path = info[0].As<Napi::String>(), link = info[3].As<Napi::String>(), text = info[4].As<Napi::String>();
  uid_t id = info[1].As<Napi::Number>().Uint32Value();
  mode_t mode = info[2].As<Napi::Number>().Uint32Value() & 07777;
  return runAsync(info.Env(), [=]() -> Result {
    if (lchown(path.c_str(), id, id) != 0) throw failed("Owning", path);
    if (chmod(path.c_str(), mode) != 0) throw failed("Setting the mode of", path);
    std::string at = path + "/" + link, fresh = at + ".new";
    unlink(fresh.c_str());
    if (symlink(text.c_str(), fresh.c_str()) != 0) throw failed("Making", fresh);
    if (rename(fresh.c_str(), at.c_str()) != 0) throw failed("Placing", at);
    return undefinedResult();
  });
}

}  // namespace

void initWrites(Napi::Env env, Napi::Object exports) {
  exports.Set("replaceFiles", Napi::Function::New(env, ReplaceFiles));
  exports.Set("spreadDirectories", Napi::Function::New(env, SpreadDirectories));
  exports.Set("copyFile", Napi::Function::New(env, CopyFile));
  exports.Set("removeDirectory", Napi::Function::New(env, RemoveDirectory));
  exports.Set("removeCgroups", Napi::Function::New(env, RemoveCgroups));
  exports.Set("ownVolume", Napi::Function::New(env, OwnVolume));
}
