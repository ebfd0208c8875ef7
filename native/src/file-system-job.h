// Runs one blocking file system call on a worker thread and gives JavaScript a promise. A job touches no JavaScript while it runs;
// its result is 0 or an errno, which becomes an Error with `code` (ENOENT, ...) and the path it was about.
#pragma once
#include <napi.h>

#include <cstring>
#include <functional>
#include <string>
#include <utility>

class FileSystemJob : public Napi::AsyncWorker {
 public:
  // Returns 0 or an errno.
  using Work = std::function<int()>;
  // Made on the loop after a Work that returned 0.
  using Answer = std::function<Napi::Value(Napi::Env)>;

  static Napi::Promise start(Napi::Env env, const char* what, std::string path, Work work, Answer answer = nullptr) {
    auto* job = new FileSystemJob(env, what, std::move(path), std::move(work), std::move(answer));
    Napi::Promise promise = job->deferred_.Promise();
    job->Queue();
    return promise;
  }

 protected:
  void Execute() override { errno_ = work_(); }

  void OnOK() override {
    Napi::Env env = Env();
    Napi::HandleScope scope(env);
    if (errno_ == 0) {
      deferred_.Resolve(answer_ ? answer_(env) : env.Undefined());
      return;
    }
    const char* name = strerrorname_np(errno_);
    Napi::Error error = Napi::Error::New(env, std::string(what_) + " '" + path_ + "': " + strerror(errno_));
    error.Set("code", Napi::String::New(env, name != nullptr ? name : "EUNKNOWN"));
    error.Set("errno", Napi::Number::New(env, errno_));
    error.Set("path", Napi::String::New(env, path_));
    deferred_.Reject(error.Value());
  }

  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  FileSystemJob(Napi::Env env, const char* what, std::string path, Work work, Answer answer)
      : Napi::AsyncWorker(env),
        deferred_(Napi::Promise::Deferred::New(env)),
        what_(what),
        path_(std::move(path)),
        work_(std::move(work)),
        answer_(std::move(answer)) {}

  Napi::Promise::Deferred deferred_;
  const char* what_;
  std::string path_;
  Work work_;
  Answer answer_;
  int errno_ = 0;
};

// A file descriptor that is closed when it goes out of scope.
class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  ~OwnedFd();
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};
