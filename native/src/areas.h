// One function per area of the addon; each adds its functions and classes to the exports.
#pragma once
#include <napi.h>

void initProcess(Napi::Env env, Napi::Object exports);
void initZygote(Napi::Env env, Napi::Object exports);
void initContainer(Napi::Env env, Napi::Object exports);
void initFiles(Napi::Env env, Napi::Object exports);
void initWrites(Napi::Env env, Napi::Object exports);
void initSockets(Napi::Env env, Napi::Object exports);
void initInterfaces(Napi::Env env, Napi::Object exports);
void initWatch(Napi::Env env, Napi::Object exports);
