// The one thread that talks rtnetlink: a queue in, promises out.
#include "netlink-thread.h"

#include <errno.h>
#include <uv.h>

#include "netlink-socket.h"

struct NetlinkThread::Job {
  std::string what;
  Work work;
  Napi::Promise::Deferred deferred;
  Finish finish;
  int error = 0;
  std::string text;
};

NetlinkThread::NetlinkThread(Napi::Env env) {
  deliver_ = Napi::ThreadSafeFunction::New(env, Napi::Function(), "netlink", 0, 1);
  deliver_.Unref(env);  // holds the process only while work is pending
}

NetlinkThread::~NetlinkThread() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  deliver_.Abort();
}

Napi::Promise NetlinkThread::run(Napi::Env env, std::string what, Work work) {
  auto job = std::make_shared<Job>(Job{std::move(what), std::move(work), Napi::Promise::Deferred::New(env), {}, 0, ""});
  try {
    if (!thread_.joinable()) thread_ = std::thread([this] { loop(); });
  } catch (const std::system_error &error) {
    Napi::Error failure = Napi::Error::New(env, job->what + ": no thread can be made: " + error.what());
    failure.Set("code", Napi::String::New(env, "EAGAIN"));
    throw failure;
  }
  if (pending_++ == 0) deliver_.Ref(env);
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(job);
  }
  wake_.notify_one();
  return job->deferred.Promise();
}

void NetlinkThread::loop() {
  for (;;) {
    std::shared_ptr<Job> job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    try {
      job->finish = job->work();
    } catch (const NetlinkError &error) {
      job->error = error.number;
      job->text = error.what();
    } catch (const std::exception &error) {
      job->error = ENOMEM;
      job->text = error.what();
    }
    auto *handed = new std::shared_ptr<Job>(std::move(job));
    const napi_status status = deliver_.BlockingCall(handed, [this](Napi::Env callEnv, Napi::Function, std::shared_ptr<Job> *ended) {
      std::unique_ptr<std::shared_ptr<Job>> owned(ended);
      if (callEnv == nullptr) return;
      finish(callEnv, *owned);
    });
    if (status != napi_ok) delete handed;
  }
}

void NetlinkThread::finish(Napi::Env env, const std::shared_ptr<Job> &job) {
  Napi::HandleScope scope(env);
  if (--pending_ == 0) deliver_.Unref(env);
  if (job->error == 0) {
    job->deferred.Resolve(job->finish(env));
    return;
  }
  Napi::Error error = Napi::Error::New(env, job->what + ": " + job->text);
  error.Set("code", Napi::String::New(env, uv_err_name(-job->error)));
  error.Set("errno", Napi::Number::New(env, job->error));
  job->deferred.Reject(error.Value());
}
