// File work that Node has no call for, or none that is cheap for thousands of small files: batches of stat and read on one thread,
// device nodes, locks, pipes.
#include <napi.h>

#include "areas.h"
#include "async.h"
#include "protocol.h"

#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

namespace {

std::vector<std::string> stringsOf(const Napi::Value& value) {
  auto list = value.As<Napi::Array>();
  std::vector<std::string> out;
  out.reserve(list.Length());
  for (uint32_t i = 0; i < list.Length(); i++) out.push_back(list.Get(i).As<Napi::String>().Utf8Value());
  return out;
}

/** One text per path, "" where there is no such file; any other failure fails the batch, so that half a reading is never taken for all. */
template <typename Read>
Napi::Value batch(const Napi::CallbackInfo& info, Read read) {
  auto paths = stringsOf(info[0]);
  return runAsync(info.Env(), [paths, read]() -> Result {
    std::vector<std::pair<bool, std::string>> texts;
    texts.reserve(paths.size());
    for (const auto& path : paths) {
      std::string text;
      int error = read(path, text);
      // ENODEV: a cgroup file whose cgroup is going away.
      if (error != 0 && error != ENOENT && error != ENOTDIR && error != ENODEV) throw systemFailure("\"" + path + "\" cannot be read", error);
      texts.emplace_back(error == 0, std::move(text));
    }
    return [texts](Napi::Env env) -> Napi::Value {
      auto out = Napi::Array::New(env, texts.size());
      for (size_t i = 0; i < texts.size(); i++)
        out.Set(static_cast<uint32_t>(i), texts[i].first ? Napi::String::New(env, texts[i].second) : env.Undefined());
      return out;
    };
  });
}

/** statMany(paths): for each `inode:size:mtime ns:ctime ns`, which changes whenever the content may have; undefined when missing. */
Napi::Value StatMany(const Napi::CallbackInfo& info) {
  return batch(info, [](const std::string& path, std::string& text) {
    struct stat s;
    if (lstat(path.c_str(), &s) != 0) return errno;
    char line[160];
    snprintf(line, sizeof line, "%lu:%ld:%ld.%09ld:%ld.%09ld", static_cast<unsigned long>(s.st_ino), static_cast<long>(s.st_size), s.st_mtim.tv_sec,
             s.st_mtim.tv_nsec, s.st_ctim.tv_sec, s.st_ctim.tv_nsec);
    text = line;
    return 0;
  });
}

/** readMany(paths): contents (UTF-8, at most 4 MiB each); undefined when missing. Follows no link at the end of a path. */
Napi::Value ReadMany(const Napi::CallbackInfo& info) {
  return batch(info, [](const std::string& path, std::string& text) {
    int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return errno;
    errno = 0;
    auto content = protocol::readAll(fd, 4 * 1024 * 1024);
    int error = content ? 0 : errno != 0 ? errno : EFBIG;
    close(fd);
    if (content) text = std::move(*content);
    return error;
  });
}

/** readLinks(paths): where symbolic links lead; undefined where there is none. */
Napi::Value ReadLinks(const Napi::CallbackInfo& info) {
  return batch(info, [](const std::string& path, std::string& text) {
    char target[4096];
    ssize_t n = readlink(path.c_str(), target, sizeof target);
    // EINVAL: something else than a link.
    if (n < 0) return errno == EINVAL ? ENOENT : errno;
    text.assign(target, static_cast<size_t>(n));
    return 0;
  });
}

/** makeNode(path, 'char' | 'block', major, minor, mode, uid, gid): under a temporary name, then renamed over what is there. */
Napi::Value MakeNode(const Napi::CallbackInfo& info) {
  std::string path = info[0].As<Napi::String>(), type = info[1].As<Napi::String>();
  unsigned major_ = info[2].As<Napi::Number>().Uint32Value(), minor_ = info[3].As<Napi::Number>().Uint32Value();
  mode_t mode = info[4].As<Napi::Number>().Uint32Value() & 07777;
  uid_t uid = info[5].As<Napi::Number>().Uint32Value();
  gid_t gid = info[6].As<Napi::Number>().Uint32Value();
  return runAsync(info.Env(), [=]() -> Result {
    std::string temporary = path + ".new";
    unlink(temporary.c_str());
    auto failed = [&](const char* what) {
      int error = errno;
      unlink(temporary.c_str());
      return systemFailure(std::string(what) + " device node \"" + path + "\" failed", error);
    };
    if (mknod(temporary.c_str(), (type == "block" ? S_IFBLK : S_IFCHR) | 0600, makedev(major_, minor_)) != 0) throw failed("Making");
    if (lchown(temporary.c_str(), uid, gid) != 0) throw failed("Owning");
    if (chmod(temporary.c_str(), mode) != 0) throw failed("Setting the mode of");
    if (rename(temporary.c_str(), path.c_str()) != 0) throw failed("Placing");
    return undefinedResult();
  });
}

/** lockFile(path): a descriptor that holds the exclusive lock until it is closed or the process ends; undefined when another holds it. */
Napi::Value LockFile(const Napi::CallbackInfo& info) {
  std::string path = info[0].As<Napi::String>();
  int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) throw toError(info.Env(), systemFailure("The lock file \"" + path + "\" cannot be opened", errno));
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return Napi::Number::New(info.Env(), fd);
  int error = errno;
  close(fd);
  if (error == EWOULDBLOCK) return info.Env().Undefined();
  throw toError(info.Env(), systemFailure("The lock file \"" + path + "\" cannot be locked", error));
}

/** makePipe(): [read end, write end], close-on-exec. */
Napi::Value MakePipe(const Napi::CallbackInfo& info) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw toError(info.Env(), systemFailure("No pipe can be made", errno));
  auto out = Napi::Array::New(info.Env(), 2);
  out.Set(0u, Napi::Number::New(info.Env(), ends[0]));
  out.Set(1u, Napi::Number::New(info.Env(), ends[1]));
  return out;
}

/** setWindowSize(fd, columns, rows) of a terminal. */
Napi::Value SetWindowSize(const Napi::CallbackInfo& info) {
  struct winsize size = {};
  size.ws_col = static_cast<unsigned short>(info[1].As<Napi::Number>().Uint32Value());
  size.ws_row = static_cast<unsigned short>(info[2].As<Napi::Number>().Uint32Value());
  if (ioctl(info[0].As<Napi::Number>().Int32Value(), TIOCSWINSZ, &size) != 0)
    throw toError(info.Env(), systemFailure("The terminal's size cannot be set", errno));
  return info.Env().Undefined();
}

}  // namespace

void initFiles(Napi::Env env, Napi::Object exports) {
  exports.Set("statMany", Napi::Function::New(env, StatMany));
  exports.Set("readMany", Napi::Function::New(env, ReadMany));
  exports.Set("readLinks", Napi::Function::New(env, ReadLinks));
  exports.Set("makeNode", Napi::Function::New(env, MakeNode));
  exports.Set("lockFile", Napi::Function::New(env, LockFile));
  exports.Set("makePipe", Napi::Function::New(env, MakePipe));
  exports.Set("setWindowSize", Napi::Function::New(env, SetWindowSize));
}
