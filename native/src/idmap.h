// Does a file system take id-mapped mounts?
#pragma once
#include <napi.h>

void initIdmap(Napi::Env env, Napi::Object exports);
