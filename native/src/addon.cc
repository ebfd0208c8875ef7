// The addon's export table, nothing else: each area of liblxc and the kernel adds its own functions.
#include <napi.h>

#include "areas.h"
#include "async.h"
#include "btrfs.h"
#include "idmap.h"
#include "netlink.h"

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  initAsync(env);
  initProcess(env, exports);
  initZygote(env, exports);
  initContainer(env, exports);
  initFiles(env, exports);
  initWrites(env, exports);
  initSockets(env, exports);
  initInterfaces(env, exports);
  initWatch(env, exports);
  initNetlink(env, exports);
  initBtrfs(env, exports);
  initIdmap(env, exports);
  return exports;
}

NODE_API_MODULE(NODE_GYP_MODULE_NAME, init)
