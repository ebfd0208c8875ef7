// Netlink multicast groups as events on the loop: they only say "look again".
#pragma once
#include <napi.h>

/** watchLinks(callback(names, everything)): returns a function that ends it. `everything`: events were lost, or routes changed. */
Napi::Value watchLinks(const Napi::CallbackInfo &info);
/** watchNftables(callback()): called once per transaction or batch of them; returns a function that ends it. */
Napi::Value watchNftables(const Napi::CallbackInfo &info);
