// Links, addresses, routes and their events over rtnetlink (libnl-3).
#pragma once
#include <napi.h>

void initNetlink(Napi::Env env, Napi::Object exports);
