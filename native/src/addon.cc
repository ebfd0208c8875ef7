// The addon's export table, nothing else: each area of liblxc and the kernel adds its own functions.
#include <napi.h>

#include "netlink.h"

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  initNetlink(env, exports);
  return exports;
}

NODE_API_MODULE(NODE_GYP_MODULE_NAME, init)
