// The addon's end of the helper: starts it (from a sealed copy in memory, so that replacing the file on disk changes nothing for it and
// its monitors) and moves messages. Requests, replies and restarts are src/host/lxc/helper.ts.
#include <napi.h>

#include "areas.h"
#include "async.h"
#include "protocol.h"

#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <uv.h>

#include <deque>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

namespace {

constexpr int kHelperSocket = 3;

/** The program in a sealed memfd; -1 where the system forbids running those (vm.memfd_noexec=2). */
int sealedCopy(const std::string& path) {
  int from = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (from < 0) return -1;
  auto program = protocol::readAll(from, 256 * 1024 * 1024);
  close(from);
  if (!program) return -1;
  int copy = memfd_create("lockstep-helper", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  // Before Linux 6.3 there is no MFD_EXEC and every memfd can be run.
  if (copy < 0 && errno == EINVAL) copy = memfd_create("lockstep-helper", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (copy < 0) return -1;
  if (protocol::writeAll(copy, program->data(), program->size()) &&
      fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0) {
    return copy;
  }
  close(copy);
  return -1;
}

int spawnHelper(const char* path, int socket, const std::vector<std::string>& extraEnv, pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, socket, kHelperSocket);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  // A session of its own: Ctrl-C in the daemon's terminal is for the daemon.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  char* argv[] = {const_cast<char*>("lockstep-helper"), nullptr};
  std::vector<char*> env = {const_cast<char*>("PATH=/nonexistent")};
  for (const auto& entry : extraEnv) env.push_back(const_cast<char*>(entry.c_str()));
  env.push_back(nullptr);
  int failed = posix_spawn(&pid, path, &actions, &attributes, argv, env.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return failed;
}

class Zygote : public Napi::ObjectWrap<Zygote> {
 public:
  /** new Zygote(path, onMessage(id, op, fields, fds), onLost()) */
  explicit Zygote(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Zygote>(info) {
    Napi::Env env = info.Env();
    std::string path = info[0].As<Napi::String>();
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
      throw toError(env, systemFailure("No socket for the helper", errno));
    // The helper's end blocks: its children must not lose a reply because the daemon is busy.
    fcntl(pair[1], F_SETFL, fcntl(pair[1], F_GETFL) & ~O_NONBLOCK);
    // Never 3 itself: a descriptor duplicated onto itself would keep its close-on-exec flag (dup2(2)).
    int theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, 10);
    close(pair[1]);
    std::vector<std::string> extra;
    if (const char* asan = getenv("ASAN_OPTIONS")) extra.push_back(std::string("ASAN_OPTIONS=") + asan);
    int copy = sealedCopy(path);
    int failed = ENOENT;
    if (copy >= 0) {
      failed = spawnHelper(("/proc/self/fd/" + std::to_string(copy)).c_str(), theirs, extra, pid_);
      close(copy);
    }
    if (failed != 0) failed = spawnHelper(path.c_str(), theirs, extra, pid_);
    close(theirs);
    if (failed != 0) {
      close(pair[0]);
      throw toError(env, systemFailure("The helper \"" + path + "\" cannot be started", failed));
    }
    socket_ = pair[0];
    pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
    onMessage_ = Napi::Persistent(info[1].As<Napi::Function>());
    onLost_ = Napi::Persistent(info[2].As<Napi::Function>());
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    socketPoll_ = watch(loop, socket_, [](uv_poll_t* poll, int, int) { static_cast<Zygote*>(poll->data)->moved(); });
    pidfdPoll_ = watch(loop, pidfd_, [](uv_poll_t* poll, int, int) { static_cast<Zygote*>(poll->data)->ended(); });
    Ref();
  }

  ~Zygote() override { shut(); }

  static void Init(Napi::Env env, Napi::Object exports) {
    exports.Set("Zygote", DefineClass(env, "Zygote",
                                      {InstanceMethod<&Zygote::Send>("send"), InstanceMethod<&Zygote::Close>("close"), InstanceMethod<&Zygote::KeepAlive>("keepAlive"),
                                       InstanceAccessor<&Zygote::Pid>("pid")}));
  }

 private:
  int socket_ = -1, pidfd_ = -1;
  pid_t pid_ = -1;
  uv_poll_t *socketPoll_ = nullptr, *pidfdPoll_ = nullptr;
  std::deque<protocol::Packet> outgoing_;
  Napi::FunctionReference onMessage_, onLost_;

  uv_poll_t* watch(uv_loop_t* loop, int fd, uv_poll_cb callback) {
    auto* poll = new uv_poll_t;
    uv_poll_init(loop, poll, fd);
    poll->data = this;
    uv_poll_start(poll, UV_READABLE, callback);
    uv_unref(reinterpret_cast<uv_handle_t*>(poll));
    return poll;
  }

  static void unwatch(uv_poll_t*& poll) {
    if (poll == nullptr) return;
    uv_poll_stop(poll);
    uv_close(reinterpret_cast<uv_handle_t*>(poll), [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
    poll = nullptr;
  }

  /** send(id, op, fields, fds): copies the descriptors; the caller keeps its own. */
  void Send(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    if (socket_ < 0 || pidfd_ < 0) throw toError(env, Failure("LXC_HELPER_LOST", "The helper is gone."));
    protocol::Message message;
    message.id = info[0].As<Napi::Number>().Uint32Value();
    message.op = info[1].As<Napi::Number>().Uint32Value();
    auto fields = info[2].As<Napi::Array>();
    for (uint32_t i = 0; i < fields.Length(); i++) message.fields.push_back(fields.Get(i).As<Napi::String>().Utf8Value());
    auto fds = info[3].As<Napi::Array>();
    for (uint32_t i = 0; i < fds.Length(); i++) {
      int fd = fcntl(fds.Get(i).As<Napi::Number>().Int32Value(), F_DUPFD_CLOEXEC, 3);
      if (fd < 0) {
        message.closeFds();
        throw toError(env, systemFailure("A descriptor cannot be passed to the helper", errno));
      }
      message.fds.push_back(fd);
    }
    protocol::Packet packet;
    if (!protocol::pack(message, packet)) throw toError(env, systemFailure("The request to the helper cannot be packed", errno));
    outgoing_.push_back(std::move(packet));
    flush();
  }

  void flush() {
    while (!outgoing_.empty()) {
      int sent = protocol::sendPacket(socket_, outgoing_.front(), MSG_DONTWAIT);
      if (sent == 0) break;
      // A failure (EPIPE) means the helper is gone: its pidfd says so to everyone at once.
      outgoing_.pop_front();
    }
    if (socketPoll_ != nullptr)
      uv_poll_start(socketPoll_, outgoing_.empty() ? UV_READABLE : UV_READABLE | UV_WRITABLE, socketPoll_->poll_cb);
  }

  void moved() {
    Napi::Env env = Env();
    Napi::HandleScope scope(env);
    Ref();
    if (!outgoing_.empty()) flush();
    // Bounded, so that a flood of replies does not keep the loop from its other work.
    for (int i = 0; i < 64 && socket_ >= 0; i++) {
      protocol::Message message;
      int got = protocol::receive(socket_, message, MSG_DONTWAIT);
      if (got == 0) break;
      if (got < 0) {
        if (errno == EBADMSG) continue;
        // Every holder of the other end is gone, the children too.
        unwatch(socketPoll_);
        if (pidfd_ < 0) release();
        break;
      }
      Napi::HandleScope one(env);
      auto fields = Napi::Array::New(env);
      for (size_t k = 0; k < message.fields.size(); k++) fields.Set(static_cast<uint32_t>(k), Napi::String::New(env, message.fields[k]));
      auto fds = Napi::Array::New(env);
      for (size_t k = 0; k < message.fds.size(); k++) fds.Set(static_cast<uint32_t>(k), Napi::Number::New(env, message.fds[k]));
      callListener(env, onMessage_, {Napi::Number::New(env, message.id), Napi::Number::New(env, message.op), fields, fds});
    }
    Unref();
  }

  void ended() {
    Napi::Env env = Env();
    Napi::HandleScope scope(env);
    Ref();
    waitpid(pid_, nullptr, 0);
    // Replies sent before its end come first; its children's may still come later.
    if (socketPoll_ != nullptr) moved();
    unwatch(pidfdPoll_);
    close(pidfd_);
    pidfd_ = -1;
    outgoing_.clear();
    if (socketPoll_ == nullptr) release();
    if (!onLost_.IsEmpty()) callListener(env, onLost_, {});
    Unref();
  }

  /** The helper has ended and nobody can answer for it any more. */
  void release() {
    if (socket_ < 0) return;
    close(socket_);
    socket_ = -1;
    Unref();
  }

  void shut() {
    if (socketPoll_ == nullptr && pidfdPoll_ == nullptr && socket_ < 0) return;
    bool wasOpen = socket_ >= 0;
    unwatch(socketPoll_);
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
    if (pidfd_ >= 0 && wasOpen) {
      // Its end of the socket hangs up, so it ends; waited for here, it takes a millisecond.
      for (int i = 0; i < 200 && waitpid(pid_, nullptr, WNOHANG) == 0; i++) usleep(1000);
    }
    unwatch(pidfdPoll_);
    if (pidfd_ >= 0) close(pidfd_);
    pidfd_ = -1;
    outgoing_.clear();
  }

  /** Ends the helper; monitors go on. Twice is fine. */
  void Close(const Napi::CallbackInfo&) {
    if (socket_ < 0) return;
    shut();
    Unref();
  }

  /** keepAlive(boolean): whether the event loop waits for messages. */
  void KeepAlive(const Napi::CallbackInfo& info) {
    if (socketPoll_ == nullptr) return;
    auto* handle = reinterpret_cast<uv_handle_t*>(socketPoll_);
    if (info[0].As<Napi::Boolean>())
      uv_ref(handle);
    else
      uv_unref(handle);
  }

  Napi::Value Pid(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), pid_); }
};

}  // namespace

void initZygote(Napi::Env env, Napi::Object exports) { Zygote::Init(env, exports); }
