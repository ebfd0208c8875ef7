// Files and the mount table as events on the loop: inotify(7), and poll(2) on /proc/self/mountinfo (proc(5)). What is waiting is read at
// once and told as one call; the handles do not hold the process. Node's own fs.watch is not used: it drops the kernel's word that events
// were lost (IN_Q_OVERFLOW), and tells of every write to a log that lies beside a file.
#include <napi.h>

#include "areas.h"
#include "async.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <set>
#include <string>
#include <utility>

namespace {

/** A descriptor watched on the loop. `closed` is called when libuv has let go of the handle. */
uv_poll_t* watchDescriptor(Napi::Env env, int fd, int events, uv_poll_cb ready, void* self) {
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  auto* poll = new uv_poll_t;
  int failed = uv_poll_init(loop, poll, fd);
  if (failed != 0) {
    delete poll;
    throw toError(env, systemFailure("The descriptor cannot be watched", -failed));
  }
  poll->data = self;
  uv_poll_start(poll, events, ready);
  uv_unref(reinterpret_cast<uv_handle_t*>(poll));
  return poll;
}

void unwatchDescriptor(uv_poll_t*& poll) {
  if (poll == nullptr) return;
  uv_poll_stop(poll);
  uv_close(reinterpret_cast<uv_handle_t*>(poll), [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
  poll = nullptr;
}

/** What changes a directory's entries for good. Not IN_MODIFY: a file that is written to is told of when it is closed. */
constexpr uint32_t kDirectory = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF |
                                IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK;
/** A control file of a cgroup: a write through its path. What the kernel itself changes there (IN_MODIFY) is not drift. */
constexpr uint32_t kFile = IN_CLOSE_WRITE | IN_DONT_FOLLOW;

constexpr uint64_t kGatherMs = 20;

class FileWatch : public Napi::ObjectWrap<FileWatch> {
 public:
  /** new FileWatch(listener): listener(changes, lost); changes is [watch, name, watch, name, ...], name '' for what is watched itself. */
  explicit FileWatch(const Napi::CallbackInfo& info) : Napi::ObjectWrap<FileWatch>(info) {
    fd_ = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd_ < 0) throw toError(info.Env(), systemFailure("Files cannot be watched", errno));
    listener_ = Napi::Persistent(info[0].As<Napi::Function>());
    try {
      poll_ = watchDescriptor(info.Env(), fd_, UV_READABLE, onReadable, this);
    } catch (...) {
      closeNow();
      throw;
    }
    timer_ = new uv_timer_t;
    uv_timer_init(poll_->loop, timer_);
    timer_->data = this;
    uv_unref(reinterpret_cast<uv_handle_t*>(timer_));
    Ref();
  }

  ~FileWatch() override { closeNow(); }

  static void Init(Napi::Env env, Napi::Object exports) {
    exports.Set("FileWatch", DefineClass(env, "FileWatch",
                                         {InstanceMethod<&FileWatch::Add>("add"), InstanceMethod<&FileWatch::Remove>("remove"),
                                          InstanceMethod<&FileWatch::Close>("close")}));
  }

 private:
  int fd_ = -1;
  uv_poll_t* poll_ = nullptr;
  uv_timer_t* timer_ = nullptr;
  Napi::FunctionReference listener_;

  /** A start of a container writes a dozen files: what comes within a moment is one wake-up. Idle, no timer runs. */
  static void onReadable(uv_poll_t* poll, int, int) {
    uv_poll_stop(poll);
    uv_timer_start(static_cast<FileWatch*>(poll->data)->timer_, onGathered, kGatherMs, 0);
  }

  static void onGathered(uv_timer_t* timer) {
    auto* self = static_cast<FileWatch*>(timer->data);
    uv_poll_start(self->poll_, UV_READABLE, onReadable);
    self->drain();
  }

  /** add(path, 'directory' | 'file'): the watch's number; the same path again gives the same. Throws errno's code. */
  Napi::Value Add(const Napi::CallbackInfo& info) {
    if (fd_ < 0) throw toError(info.Env(), Failure("HANDLE_CLOSED", "The watch is closed."));
    const std::string path = info[0].As<Napi::String>().Utf8Value();
    const bool directory = info[1].As<Napi::String>().Utf8Value() == "directory";
    const int number = inotify_add_watch(fd_, path.c_str(), directory ? kDirectory : kFile);
    if (number < 0) throw toError(info.Env(), systemFailure("\"" + path + "\" cannot be watched", errno));
    return Napi::Number::New(info.Env(), number);
  }

  /** Gone already is fine. */
  void Remove(const Napi::CallbackInfo& info) {
    if (fd_ >= 0) inotify_rm_watch(fd_, info[0].As<Napi::Number>().Int32Value());
  }

  void drain() {
    alignas(struct inotify_event) static thread_local char buffer[64 * 1024];
    std::set<std::pair<int, std::string>> seen;
    bool lost = false;
    for (;;) {
      const ssize_t size = read(fd_, buffer, sizeof buffer);
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) break;
      for (ssize_t at = 0; at < size;) {
        const auto* event = reinterpret_cast<const struct inotify_event*>(buffer + at);
        at += static_cast<ssize_t>(sizeof *event + event->len);
        if ((event->mask & IN_Q_OVERFLOW) != 0) lost = true;
        else seen.emplace(event->wd, event->len > 0 ? event->name : "");
      }
    }
    if (seen.empty() && !lost) return;
    Napi::Env env = Env();
    Napi::HandleScope scope(env);
    Napi::Array changes = Napi::Array::New(env, seen.size() * 2);
    uint32_t at = 0;
    for (const auto& [number, name] : seen) {
      changes.Set(at++, Napi::Number::New(env, number));
      changes.Set(at++, Napi::String::New(env, name));
    }
    callListener(env, listener_, {changes, Napi::Boolean::New(env, lost)});
  }

  void closeNow() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  void Close(const Napi::CallbackInfo&) {
    if (poll_ == nullptr) return;
    unwatchDescriptor(poll_);
    uv_timer_stop(timer_);
    uv_close(reinterpret_cast<uv_handle_t*>(timer_), [](uv_handle_t* handle) { delete reinterpret_cast<uv_timer_t*>(handle); });
    timer_ = nullptr;
    closeNow();
    listener_.Reset();
    Unref();
  }
};

class MountWatch : public Napi::ObjectWrap<MountWatch> {
 public:
  /** new MountWatch(listener): called after anything was mounted, unmounted or remounted in this mount namespace. */
  explicit MountWatch(const Napi::CallbackInfo& info) : Napi::ObjectWrap<MountWatch>(info) {
    fd_ = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) throw toError(info.Env(), systemFailure("The mount table cannot be watched", errno));
    listener_ = Napi::Persistent(info[0].As<Napi::Function>());
    try {
      // A change is POLLERR and POLLPRI, once: polling takes note of it (mounts_poll, fs/proc_namespace.c), so there is nothing to read.
      poll_ = watchDescriptor(info.Env(), fd_, UV_PRIORITIZED, [](uv_poll_t* poll, int, int) { static_cast<MountWatch*>(poll->data)->tell(); },
                              this);
    } catch (...) {
      closeNow();
      throw;
    }
    Ref();
  }

  ~MountWatch() override { closeNow(); }

  static void Init(Napi::Env env, Napi::Object exports) {
    exports.Set("MountWatch", DefineClass(env, "MountWatch", {InstanceMethod<&MountWatch::Close>("close")}));
  }

 private:
  int fd_ = -1;
  uv_poll_t* poll_ = nullptr;
  Napi::FunctionReference listener_;

  void tell() {
    Napi::Env env = Env();
    Napi::HandleScope scope(env);
    callListener(env, listener_, {});
  }

  void closeNow() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  void Close(const Napi::CallbackInfo&) {
    if (poll_ == nullptr) return;
    unwatchDescriptor(poll_);
    closeNow();
    listener_.Reset();
    Unref();
  }
};

}  // namespace

void initWatch(Napi::Env env, Napi::Object exports) {
  FileWatch::Init(env, exports);
  MountWatch::Init(env, exports);
}
