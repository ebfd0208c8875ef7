// Blocking work off the event loop, on the addon's own threads (libuv's four are shared with files and DNS). A piece of work copies its
// inputs in, touches no JS while it runs, and returns a function that makes the JS value afterwards.
#pragma once
#include <napi.h>

#include <functional>
#include <stdexcept>
#include <string>

/** Becomes a JS Error with `code` (one of ours or an errno name), `errno` and `log`. */
struct Failure : std::runtime_error {
  std::string code, log;
  int error;
  Failure(std::string code, const std::string& message, std::string log = "", int error = 0)
      : std::runtime_error(message), code(std::move(code)), log(std::move(log)), error(error) {}
};

/** A Failure whose code is errno's name. */
Failure systemFailure(const std::string& message, int error);

Napi::Error toError(Napi::Env env, const Failure& failure);

using Result = std::function<Napi::Value(Napi::Env)>;
using Work = std::function<Result()>;

/** Runs `work` on a thread of its own kind; a piece of work that hangs never keeps the others waiting. */
Napi::Promise runAsync(Napi::Env env, Work work);

Result undefinedResult();

/** Calls a JS listener from a libuv callback; what it throws becomes an uncaught exception, as with any other event. */
void callListener(Napi::Env env, const Napi::FunctionReference& listener, const std::vector<napi_value>& arguments);

void initAsync(Napi::Env env);
