// Links, addresses, routes and their events over rtnetlink.
#pragma once
#include <napi.h>

void initNetlink(Napi::Env env, Napi::Object exports);
