// Subvolumes, snapshots and quota groups of btrfs, by ioctl: no process per volume.
#pragma once
#include <napi.h>

void initBtrfs(Napi::Env env, Napi::Object exports);
