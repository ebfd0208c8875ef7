// The addon's export table, nothing else: each area of liblxc and the kernel adds its own functions.
#include <napi.h>

#include "btrfs.h"
#include "idmap.h"
#include "netlink.h"

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  initBtrfs(env, exports);
  initIdmap(env, exports);
  initNetlink(env, exports);
  return exports;
}

NODE_API_MODULE(NODE_GYP_MODULE_NAME, init)
