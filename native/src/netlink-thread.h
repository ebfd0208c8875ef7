// The one thread that talks rtnetlink. The kernel serialises changes under one lock (RTNL), so more threads would only wait for each
// other; and libuv's four stay free for files and DNS. Work is copied in, touches no JS while it runs, and is copied out.
#pragma once
#include <napi.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

class NetlinkThread {
 public:
  /** Runs on the thread; what it returns makes the result, on the loop. It throws NetlinkError to refuse. */
  using Finish = std::function<Napi::Value(Napi::Env)>;
  using Work = std::function<Finish()>;

  explicit NetlinkThread(Napi::Env env);
  /** Ends the thread; work that has not begun is dropped. */
  ~NetlinkThread();
  /** `what`: the operation, for the error's text. */
  Napi::Promise run(Napi::Env env, std::string what, Work work);

 private:
  struct Job;
  Napi::ThreadSafeFunction deliver_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> queue_;
  bool stopping_ = false;
  size_t pending_ = 0;
  std::thread thread_;

  void loop();
  void finish(Napi::Env env, const std::shared_ptr<Job> &job);
};
