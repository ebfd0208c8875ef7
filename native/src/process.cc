// Watching and signalling processes through pidfds (pidfd_open(2)): works for non-children, and a reused pid is never hit.
#include <napi.h>

#include "async.h"
#include "areas.h"

#include <malloc.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>

namespace {

// PIDFD_GET_INFO with the exit status: Linux 6.15, <linux/pidfd.h>; older headers lack it.
struct PidfdInfo {
  uint64_t mask, cgroupId;
  uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  int32_t exitCode;
};
constexpr unsigned long kPidfdGetInfo = _IOWR(0xFF, 11, PidfdInfo);
constexpr uint64_t kPidfdInfoExit = 1UL << 3;

class Process : public Napi::ObjectWrap<Process> {
 public:
  /** new Process({ pid } | { fd }): opens the pid, or takes the descriptor over. */
  explicit Process(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Process>(info) {
    Napi::Object from = info[0].As<Napi::Object>();
    if (from.Has("fd")) {
      fd_ = from.Get("fd").As<Napi::Number>().Int32Value();
    } else {
      int pid = from.Get("pid").As<Napi::Number>().Int32Value();
      fd_ = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
      if (fd_ < 0) throw toError(info.Env(), systemFailure("Process " + std::to_string(pid) + " cannot be opened", errno));
    }
  }

  ~Process() override { closeNow(); }

  static void Init(Napi::Env env, Napi::Object exports) {
    exports.Set("Process", DefineClass(env, "Process",
                                       {InstanceMethod<&Process::OnExit>("onExit"), InstanceMethod<&Process::Signal>("signal"),
                                        InstanceMethod<&Process::ExitStatus>("exitStatus"), InstanceMethod<&Process::Alive>("alive"),
                                        InstanceMethod<&Process::Close>("close")}));
  }

 private:
  int fd_ = -1;
  uv_poll_t* poll_ = nullptr;
  Napi::FunctionReference listener_;

  void need(Napi::Env env) const {
    if (fd_ < 0) throw toError(env, Failure("HANDLE_CLOSED", "The process handle is closed."));
  }

  /**
   * Only what the kernel says itself: a poll(2) that fails says nothing of the process. With a timeout of 0 it still fails with EINTR when a
   * signal is pending, and the end of any child is one (SIGCHLD). A container that is taken for ended is ended.
   */
  bool hasEnded() const {
    struct pollfd one = {fd_, POLLIN, 0};
    return poll(&one, 1, 0) == 1 && (one.revents & POLLIN) != 0;
  }

  /** onExit(listener): called once, also when it has ended already. Does not keep the event loop alive. */
  void OnExit(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    need(env);
    if (poll_ != nullptr) throw Napi::Error::New(env, "The process is watched already.");
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    auto* poll = new uv_poll_t;
    int failed = uv_poll_init(loop, poll, fd_);
    if (failed != 0) {
      delete poll;
      throw toError(env, systemFailure("The process cannot be watched", -failed));
    }
    listener_ = Napi::Persistent(info[0].As<Napi::Function>());
    poll->data = this;
    poll_ = poll;
    uv_poll_start(poll, UV_READABLE, [](uv_poll_t* poll, int, int) {
      auto* process = static_cast<Process*>(poll->data);
      if (process->hasEnded()) process->exited();
    });
    uv_unref(reinterpret_cast<uv_handle_t*>(poll));
    Ref();
  }

  void exited() {
    Napi::Env env = Env();
    Napi::HandleScope scope(env);
    Napi::FunctionReference listener = std::move(listener_);
    stop();
    callListener(env, listener, {});
  }

  void stop() {
    if (poll_ == nullptr) return;
    uv_poll_stop(poll_);
    uv_close(reinterpret_cast<uv_handle_t*>(poll_), [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
    poll_ = nullptr;
    listener_.Reset();
    Unref();
  }

  void closeNow() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  /** signal(number): false when it has ended. */
  Napi::Value Signal(const Napi::CallbackInfo& info) {
    need(info.Env());
    int number = info[0].As<Napi::Number>().Int32Value();
    if (syscall(SYS_pidfd_send_signal, fd_, number, nullptr, 0) == 0) return Napi::Boolean::New(info.Env(), true);
    if (errno == ESRCH) return Napi::Boolean::New(info.Env(), false);
    throw toError(info.Env(), systemFailure("The process cannot be signalled", errno));
  }

  /** Not yet a zombie. */
  Napi::Value Alive(const Napi::CallbackInfo& info) {
    need(info.Env());
    return Napi::Boolean::New(info.Env(), !hasEnded());
  }

  /** The wait status after its parent has reaped it, where the kernel tells; else undefined. */
  Napi::Value ExitStatus(const Napi::CallbackInfo& info) {
    need(info.Env());
    PidfdInfo reply = {};
    reply.mask = kPidfdInfoExit;
    if (ioctl(fd_, kPidfdGetInfo, &reply) != 0 || (reply.mask & kPidfdInfoExit) == 0) return info.Env().Undefined();
    return Napi::Number::New(info.Env(), reply.exitCode);
  }

  void Close(const Napi::CallbackInfo&) {
    stop();
    closeNow();
  }
};

/** trimMemory(): what is free in the C heap goes back to the kernel (malloc_trim(3)). */
void TrimMemory(const Napi::CallbackInfo&) { malloc_trim(0); }

}  // namespace

void initProcess(Napi::Env env, Napi::Object exports) {
  Process::Init(env, exports);
  exports.Set("trimMemory", Napi::Function::New(env, TrimMemory));
}
