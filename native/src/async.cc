// Threads: up to 32 work at a time, more than there are cores: most wait for the kernel (a btrfs commit, a disk), and quick reads
// must not wait for those. One whose work takes longer than kHungMs no longer counts, so that a monitor that does not answer
// (liblxc 5.0 waits for ever) costs a thread and nothing else; there are at most kMaxThreads in all.
// The pool is made once and never destroyed: process.exit would wait for ever for a thread inside liblxc.
#include "async.h"

#include <uv.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kWidth = 32;
constexpr size_t kMaxThreads = 64;
constexpr auto kHungMs = std::chrono::milliseconds(2000);
constexpr auto kIdleMs = std::chrono::seconds(30);

struct Job {
  Work work;
  Napi::Promise::Deferred deferred;
  Result result;
  std::unique_ptr<Failure> failure;
};

/** Where finished jobs wait for the event loop. Outlives its environment when a thread still holds it. */
struct Finished {
  std::mutex mutex;
  std::vector<std::unique_ptr<Job>> jobs;
  uv_async_t* wake = nullptr;
};

struct Queued {
  std::unique_ptr<Job> job;
  std::shared_ptr<Finished> finished;
};

struct Pool {
  std::mutex mutex;
  std::condition_variable more;
  std::deque<Queued> queue;
  std::map<std::thread::id, Clock::time_point> busy;
  size_t threads = 0, idle = 0;

  /** Called with the lock held: enough threads for what waits. */
  void grow() {
    if (queue.size() <= idle || threads >= kMaxThreads) return;
    size_t working = 0;
    auto now = Clock::now();
    for (auto& [id, since] : busy)
      if (now - since < kHungMs) working++;
    if (working + idle >= kWidth) return;
    threads++;
    try {
      std::thread([this] { run(); }).detach();
    } catch (const std::system_error&) {
      threads--;  // asked again at the next look
    }
  }

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      idle++;
      bool woken = more.wait_for(lock, kIdleMs, [this] { return !queue.empty(); });
      idle--;
      if (!woken) {
        threads--;
        return;
      }
      Queued next = std::move(queue.front());
      queue.pop_front();
      auto me = std::this_thread::get_id();
      busy[me] = Clock::now();
      lock.unlock();
      try {
        next.job->result = next.job->work();
      } catch (const Failure& failure) {
        next.job->failure = std::make_unique<Failure>(failure);
      } catch (const std::exception& error) {
        next.job->failure = std::make_unique<Failure>("INTERNAL", error.what());
      }
      next.job->work = nullptr;
      {
        std::lock_guard guard(next.finished->mutex);
        if (next.finished->wake != nullptr) {
          next.finished->jobs.push_back(std::move(next.job));
          uv_async_send(next.finished->wake);
        } else {
          // The environment is gone, and with it the promise: what would free it may not be called any more.
          (void)next.job.release();
        }
      }
      lock.lock();
      busy.erase(me);
    }
  }
};

Pool& pool() {
  static Pool* only = new Pool;
  return *only;
}

struct Loop {
  napi_env env;
  std::shared_ptr<Finished> finished = std::make_shared<Finished>();
  uv_async_t wake;
  uv_timer_t tick;
  size_t pending = 0;
  int handles = 2;
};

void settle(Loop& loop, std::vector<std::unique_ptr<Job>> jobs) {
  Napi::Env env(loop.env);
  Napi::HandleScope scope(env);
  Napi::AsyncContext context(env, "lockstep:lxc");
  Napi::CallbackScope callback(env, context);
  for (auto& job : jobs) {
    try {
      if (job->failure)
        job->deferred.Reject(toError(env, *job->failure).Value());
      else
        job->deferred.Resolve(job->result(env));
    } catch (const Napi::Error& error) {
      job->deferred.Reject(error.Value());
    }
    loop.pending--;
  }
  if (loop.pending == 0) {
    uv_unref(reinterpret_cast<uv_handle_t*>(&loop.wake));
    uv_timer_stop(&loop.tick);
  }
}

}  // namespace

Failure systemFailure(const std::string& message, int error) {
  const char* name = strerrorname_np(error);
  return Failure(name != nullptr ? name : "EIO", message + ": " + strerror(error), "", error);
}

Napi::Error toError(Napi::Env env, const Failure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.what());
  error.Set("code", Napi::String::New(env, failure.code));
  error.Set("log", Napi::String::New(env, failure.log));
  if (failure.error != 0) error.Set("errno", Napi::Number::New(env, failure.error));
  return error;
}

Result undefinedResult() {
  return [](Napi::Env env) -> Napi::Value { return env.Undefined(); };
}

Napi::Promise runAsync(Napi::Env env, Work work) {
  auto& loop = *env.GetInstanceData<Loop>();
  auto deferred = Napi::Promise::Deferred::New(env);
  auto job = std::unique_ptr<Job>(new Job{std::move(work), deferred, nullptr, nullptr});
  if (loop.pending++ == 0) {
    uv_ref(reinterpret_cast<uv_handle_t*>(&loop.wake));
    // Looks now and then whether what waits only waits for hung threads.
    uv_timer_start(
        &loop.tick,
        [](uv_timer_t*) {
          std::lock_guard guard(pool().mutex);
          pool().grow();
        },
        500, 500);
  }
  {
    std::lock_guard guard(pool().mutex);
    pool().queue.push_back({std::move(job), loop.finished});
    pool().grow();
    if (pool().threads == 0) {
      job = std::move(pool().queue.back().job);
      pool().queue.pop_back();
    }
  }
  if (job) {
    // Not one thread: nobody would ever come for it. An exception from here would end the daemon.
    deferred.Reject(toError(env, systemFailure("No thread can be made for this", EAGAIN)).Value());
    if (--loop.pending == 0) {
      uv_unref(reinterpret_cast<uv_handle_t*>(&loop.wake));
      uv_timer_stop(&loop.tick);
    }
    return deferred.Promise();
  }
  pool().more.notify_one();
  return deferred.Promise();
}

void callListener(Napi::Env env, const Napi::FunctionReference& listener, const std::vector<napi_value>& arguments) {
  Napi::AsyncContext context(env, "lockstep:lxc");
  try {
    listener.MakeCallback(env.Global(), arguments, context);
  } catch (const Napi::Error& error) {
    napi_fatal_exception(env, error.Value());
  }
}

void initAsync(Napi::Env env) {
  auto* loop = new Loop;
  loop->env = env;
  uv_loop_t* uv = nullptr;
  napi_get_uv_event_loop(env, &uv);
  uv_async_init(uv, &loop->wake, [](uv_async_t* wake) {
    auto& loop = *static_cast<Loop*>(wake->data);
    std::vector<std::unique_ptr<Job>> jobs;
    {
      std::lock_guard guard(loop.finished->mutex);
      jobs.swap(loop.finished->jobs);
    }
    if (!jobs.empty()) settle(loop, std::move(jobs));
  });
  uv_timer_init(uv, &loop->tick);
  loop->wake.data = loop;
  loop->tick.data = loop;
  uv_unref(reinterpret_cast<uv_handle_t*>(&loop->wake));
  uv_unref(reinterpret_cast<uv_handle_t*>(&loop->tick));
  loop->finished->wake = &loop->wake;
  // Not freed with the environment: the handles below are closed after it.
  napi_set_instance_data(env, loop, [](napi_env, void*, void*) {}, nullptr);
  napi_add_env_cleanup_hook(
      env,
      [](void* data) {
        auto* loop = static_cast<Loop*>(data);
        {
          std::lock_guard guard(loop->finished->mutex);
          loop->finished->wake = nullptr;
          for (auto& job : loop->finished->jobs) (void)job.release();
          loop->finished->jobs.clear();
        }
        auto closed = [](uv_handle_t* handle) {
          auto* loop = static_cast<Loop*>(handle->data);
          if (--loop->handles == 0) delete loop;
        };
        uv_close(reinterpret_cast<uv_handle_t*>(&loop->wake), closed);
        uv_close(reinterpret_cast<uv_handle_t*>(&loop->tick), closed);
      },
      loop);
}
