// Links, addresses, routes and their events over rtnetlink.
#include "netlink.h"

void initNetlink(Napi::Env, Napi::Object) {}
