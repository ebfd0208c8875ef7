// Links, addresses, routes and their events over rtnetlink: the functions JS sees. Thin: no policy, no retries but those of a listing
// that was interrupted.
#include "netlink.h"

#include <fcntl.h>

#include <memory>

#include "netlink-events.h"
#include "netlink-links.h"
#include "netlink-thread.h"
#include "owned-fd.h"

namespace {

std::string textArgument(const Napi::CallbackInfo &info, size_t at) {
  if (!info[at].IsString()) throw Napi::TypeError::New(info.Env(), "a string is needed");
  std::string text = info[at].As<Napi::String>();
  if (text.find('\0') != std::string::npos) throw Napi::TypeError::New(info.Env(), "a string holds a NUL character");
  return text;
}

std::vector<std::string> textsArgument(const Napi::CallbackInfo &info, size_t at) {
  if (!info[at].IsArray()) throw Napi::TypeError::New(info.Env(), "an array of strings is needed");
  const auto array = info[at].As<Napi::Array>();
  std::vector<std::string> texts;
  for (uint32_t i = 0; i < array.Length(); i++) texts.push_back(array.Get(i).ToString());
  return texts;
}

/** { mtu?, up?, hwaddr?, alias?, master? }: master null takes it out of its bridge. */
LinkChange changeArgument(const Napi::CallbackInfo &info, size_t at) {
  LinkChange change;
  if (!info[at].IsObject()) return change;
  const auto from = info[at].As<Napi::Object>();
  const Napi::Value mtu = from.Get("mtu"), up = from.Get("up"), hwaddr = from.Get("hwaddr"), alias = from.Get("alias"),
                    master = from.Get("master");
  if (mtu.IsNumber()) change.mtu = mtu.As<Napi::Number>().Uint32Value();
  if (up.IsBoolean()) change.up = up.As<Napi::Boolean>().Value();
  if (hwaddr.IsString()) change.hwaddr = hwaddr.As<Napi::String>().Utf8Value();
  if (alias.IsString()) change.alias = alias.As<Napi::String>().Utf8Value();
  if (master.IsNull()) change.master = "";
  if (master.IsString()) change.master = master.As<Napi::String>().Utf8Value();
  return change;
}

Napi::Array toArray(Napi::Env env, const std::vector<std::string> &texts) {
  Napi::Array array = Napi::Array::New(env, texts.size());
  for (uint32_t i = 0; i < texts.size(); i++) array.Set(i, Napi::String::New(env, texts[i]));
  return array;
}

Napi::Array toArray(Napi::Env env, const std::vector<Link> &links) {
  Napi::Array array = Napi::Array::New(env, links.size());
  for (uint32_t i = 0; i < links.size(); i++) {
    const Link &link = links[i];
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", link.name);
    object.Set("index", link.index);
    object.Set("type", link.type);
    object.Set("hwaddr", link.hwaddr);
    object.Set("mtu", link.mtu);
    object.Set("up", link.up);
    object.Set("master", link.masterName.empty() ? env.Undefined() : Napi::String::New(env, link.masterName));
    object.Set("alias", link.alias.empty() ? env.Undefined() : Napi::String::New(env, link.alias));
    object.Set("addresses", toArray(env, link.addresses));
    array.Set(i, object);
  }
  return array;
}

Napi::Value toObject(Napi::Env env, const Network &network) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("links", toArray(env, network.links));
  object.Set("routes", toArray(env, network.routes));
  return object;
}

Napi::Value nothing(Napi::Env env) { return env.Undefined(); }

}  // namespace

void initNetlink(Napi::Env env, Napi::Object exports) {
  // One thread per environment, ended with it; the functions hold it too, so that none is left with a dangling pointer.
  auto thread = std::make_shared<NetlinkThread>(env);
  auto *held = new std::shared_ptr<NetlinkThread>(thread);
  env.AddCleanupHook([held] { delete held; });
  std::weak_ptr<NetlinkThread> weak = thread;

  auto add = [&](const char *name, auto prepare) {
    exports.Set(name, Napi::Function::New(
                          env,
                          [weak, name, prepare](const Napi::CallbackInfo &info) -> Napi::Value {
                            auto alive = weak.lock();
                            if (!alive) throw Napi::Error::New(info.Env(), "the environment is ending");
                            auto [what, work] = prepare(info);
                            return alive->run(info.Env(), what, std::move(work));
                          },
                          name));
  };
  using Prepared = std::pair<std::string, NetlinkThread::Work>;

  add("netlinkRead", [](const Napi::CallbackInfo &) -> Prepared {
    return {"list the links", [] {
              auto network = std::make_shared<Network>(readNetwork());
              return [network](Napi::Env callEnv) { return toObject(callEnv, *network); };
            }};
  });
  add("netlinkReadSome", [](const Napi::CallbackInfo &info) -> Prepared {
    return {"read links", [names = textsArgument(info, 0)] {
              auto links = std::make_shared<std::vector<Link>>(readSomeLinks(names));
              return [links](Napi::Env callEnv) -> Napi::Value { return toArray(callEnv, *links); };
            }};
  });
  add("netlinkPresent", [](const Napi::CallbackInfo &info) -> Prepared {
    return {"look for links", [names = textsArgument(info, 0)] {
              auto present = std::make_shared<std::vector<std::string>>(presentLinks(names));
              return [present](Napi::Env callEnv) -> Napi::Value { return toArray(callEnv, *present); };
            }};
  });
  add("netlinkAddBridge", [](const Napi::CallbackInfo &info) -> Prepared {
    return {"add the bridge", [name = textArgument(info, 0), change = changeArgument(info, 1)] {
              addBridge(name, change);
              return nothing;
            }};
  });
  add("netlinkAddVeth", [](const Napi::CallbackInfo &info) -> Prepared {
    const LinkChange other = changeArgument(info, 2);
    if (!info[2].IsObject() || !other.hwaddr || !info[3].IsNumber()) throw Napi::TypeError::New(info.Env(), "a peer and its namespace are needed");
    VethPeer peer{info[2].As<Napi::Object>().Get("name").ToString(), *other.hwaddr, other.mtu, 0};
    // Ours: the caller may close its own before the thread gets there.
    peer.netns = fcntl(info[3].As<Napi::Number>().Int32Value(), F_DUPFD_CLOEXEC, 3);
    if (peer.netns < 0) throw Napi::TypeError::New(info.Env(), "the namespace's descriptor is not open");
    auto held = std::make_shared<OwnedFd>(peer.netns);
    return {"add the veth pair", [name = textArgument(info, 0), change = changeArgument(info, 1), peer, held] {
              addVeth(name, change, peer);
              return nothing;
            }};
  });
  add("netlinkSetLink", [](const Napi::CallbackInfo &info) -> Prepared {
    return {"change the link", [name = textArgument(info, 0), change = changeArgument(info, 1)] {
              setLink(name, change);
              return nothing;
            }};
  });
  add("netlinkSetAddresses", [](const Napi::CallbackInfo &info) -> Prepared {
    return {"set the addresses", [name = textArgument(info, 0), addresses = textsArgument(info, 1)] {
              setAddresses(name, addresses);
              return nothing;
            }};
  });
  add("netlinkDeleteLink", [](const Napi::CallbackInfo &info) -> Prepared {
    return {"delete the link", [name = textArgument(info, 0)] {
              deleteLink(name);
              return nothing;
            }};
  });
  exports.Set("netlinkWatchLinks", Napi::Function::New(env, watchLinks, "netlinkWatchLinks"));
  exports.Set("netlinkWatchNftables", Napi::Function::New(env, watchNftables, "netlinkWatchNftables"));
}
