// A container handle: config items, and calls to its monitor. liblxc: "struct lxc_container".
// Config calls share the handle's own lxc_container, one at a time. Calls that talk to the monitor open one of their own (55 us for our
// lean configs), so that one that hangs does not keep the others waiting. close() drops JS's reference; running calls keep theirs.
#include <napi.h>

#include "areas.h"
#include "async.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>

#include <lxc/lxccontainer.h>

namespace {

struct Closer {
  void operator()(struct lxc_container* c) const { lxc_container_put(c); }
};

/**
 * An lxc_container with a log of its own, in memory: lxc_log_init would be for the whole process and also write to stderr, while the
 * file of lxc.log.file is used for this container's calls only.
 */
class Lxc {
 public:
  enum class Use { kOneCall, kConfig };

  Lxc(const std::string& name, const std::string& path, Use use) : c_(lxc_container_new(name.c_str(), path.c_str())) {
    if (!c_) throw Failure("LXC_FAILED", "liblxc cannot read the configuration of container \"" + name + "\"");
    // It answers for names it does not know, too: state() would then say STOPPED.
    if (!c_->is_defined(c_.get())) throw Failure("NOT_FOUND", "There is no container \"" + name + "\" in " + path);
    log_ = memfd_create("lockstep-lxc-log", MFD_CLOEXEC);
    if (log_ < 0) return;
    std::string file = "/proc/self/fd/" + std::to_string(log_);
    c_->set_config_item(c_.get(), "lxc.log.file", file.c_str());
    if (use == Use::kOneCall) {
      c_->set_config_item(c_.get(), "lxc.log.level", "WARN");
    } else {
      // Must not be saved with the config; the open file stays in use.
      c_->clear_config_item(c_.get(), "lxc.log.file");
    }
  }
  ~Lxc() {
    c_.reset();
    if (log_ >= 0) close(log_);
  }
  Lxc(const Lxc&) = delete;
  Lxc& operator=(const Lxc&) = delete;

  struct lxc_container* get() const { return c_.get(); }

  /** What liblxc said since this was last asked, so at most one call's words. */
  std::string said() {
    struct stat info;
    if (log_ < 0 || fstat(log_, &info) != 0) return "";
    std::string out(static_cast<size_t>(std::min<off_t>(info.st_size, 16 * 1024)), '\0');
    ssize_t n = pread(log_, out.data(), out.size(), 0);
    out.resize(n > 0 ? static_cast<size_t>(n) : 0);
    (void)!ftruncate(log_, 0);  // liblxc appends
    return out;
  }

 private:
  std::unique_ptr<struct lxc_container, Closer> c_;
  int log_ = -1;
};

struct Handle {
  std::string name, path;
  std::mutex mutex;
  std::unique_ptr<Lxc> lxc;
};

class Container : public Napi::ObjectWrap<Container> {
 public:
  static inline Napi::FunctionReference* constructor = nullptr;

  explicit Container(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Container>(info) {
    if (info.Length() != 1 || !info[0].IsExternal()) throw Napi::TypeError::New(info.Env(), "Use openContainer().");
    handle_ = *info[0].As<Napi::External<std::shared_ptr<Handle>>>().Data();
  }

  static void Init(Napi::Env env, Napi::Object exports) {
    auto type = DefineClass(
        env, "Container",
        {InstanceMethod<&Container::Close>("close"), InstanceMethod<&Container::State>("state"), InstanceMethod<&Container::Stop>("stop"),
         InstanceMethod<&Container::Shutdown>("shutdown"), InstanceMethod<&Container::Reboot>("reboot"),
         InstanceMethod<&Container::Freeze>("freeze"), InstanceMethod<&Container::Unfreeze>("unfreeze"),
         InstanceMethod<&Container::GetCgroup>("getCgroupItem"), InstanceMethod<&Container::SetCgroup>("setCgroupItem"),
         InstanceMethod<&Container::GetConfig>("getConfigItem"), InstanceMethod<&Container::SetConfig>("setConfigItem"),
         InstanceMethod<&Container::ClearConfig>("clearConfigItem"), InstanceMethod<&Container::LoadConfig>("loadConfig"),
         InstanceMethod<&Container::SaveConfig>("saveConfig"), InstanceMethod<&Container::GetRunning>("getRunningConfigItem")});
    constructor = new Napi::FunctionReference(Napi::Persistent(type));
    exports.Set("openContainer", Napi::Function::New(env, Open));
  }

 private:
  std::shared_ptr<Handle> handle_;

  std::shared_ptr<Handle> need(Napi::Env env) const {
    if (!handle_) throw toError(env, Failure("HANDLE_CLOSED", "The container handle is closed."));
    return handle_;
  }

  /** openContainer(lxcpath, name): rejects with NOT_FOUND, or LXC_FAILED when its config does not parse. */
  static Napi::Value Open(const Napi::CallbackInfo& info) {
    auto handle = std::make_shared<Handle>();
    handle->path = info[0].As<Napi::String>().Utf8Value();
    handle->name = info[1].As<Napi::String>().Utf8Value();
    return runAsync(info.Env(), [handle]() -> Result {
      handle->lxc = std::make_unique<Lxc>(handle->name, handle->path, Lxc::Use::kConfig);
      return [handle](Napi::Env env) -> Napi::Value {
        auto passed = handle;
        return constructor->New({Napi::External<std::shared_ptr<Handle>>::New(env, &passed)});
      };
    });
  }

  void Close(const Napi::CallbackInfo&) { handle_.reset(); }

  /** A call to the monitor with an lxc_container of its own. `call` answers whether liblxc was content. */
  template <typename Call>
  Napi::Value ask(const Napi::CallbackInfo& info, const char* what, Call call) {
    auto handle = need(info.Env());
    return runAsync(info.Env(), [handle, what, call]() -> Result {
      Lxc c(handle->name, handle->path, Lxc::Use::kOneCall);
      errno = 0;
      if (!call(c.get())) {
        // Not every failure is logged by liblxc; some only leave errno.
        std::string why = errno != 0 ? std::string(": ") + strerror(errno) : "";
        throw Failure("LXC_FAILED", std::string(what) + " of container \"" + handle->name + "\" failed" + why, c.said());
      }
      return undefinedResult();
    });
  }

  template <typename Call>
  Napi::Value askText(const Napi::CallbackInfo& info, Call call) {
    auto handle = need(info.Env());
    return runAsync(info.Env(), [handle, call]() -> Result {
      Lxc c(handle->name, handle->path, Lxc::Use::kOneCall);
      std::string text = call(c);
      return [text](Napi::Env env) -> Napi::Value { return Napi::String::New(env, text); };
    });
  }

  /** state(): { state, initPid }; the words are liblxc's (RUNNING, STOPPED, ...). Waits while the monitor is starting or rebooting. */
  Napi::Value State(const Napi::CallbackInfo& info) {
    auto handle = need(info.Env());
    return runAsync(info.Env(), [handle]() -> Result {
      Lxc c(handle->name, handle->path, Lxc::Use::kOneCall);
      const char* word = c.get()->state(c.get());
      if (word == nullptr) throw Failure("LXC_FAILED", "The state of container \"" + handle->name + "\" is not known", c.said());
      std::string state = word;
      int init = c.get()->init_pid(c.get());
      return [state, init](Napi::Env env) -> Napi::Value {
        auto result = Napi::Object::New(env);
        result.Set("state", state);
        result.Set("initPid", init > 0 ? Napi::Number::New(env, init) : env.Undefined());
        return result;
      };
    });
  }

  /** stop(): kills init, thaws, and returns when the monitor is gone. */
  Napi::Value Stop(const Napi::CallbackInfo& info) {
    return ask(info, "Stopping", [](struct lxc_container* c) { return c->stop(c); });
  }
  /** shutdown(): sends init its halt signal; does not wait. */
  Napi::Value Shutdown(const Napi::CallbackInfo& info) {
    return ask(info, "The shutdown", [](struct lxc_container* c) { return c->shutdown(c, 0); });
  }
  Napi::Value Reboot(const Napi::CallbackInfo& info) {
    return ask(info, "The reboot", [](struct lxc_container* c) { return c->reboot(c); });
  }
  Napi::Value Freeze(const Napi::CallbackInfo& info) {
    return ask(info, "Freezing", [](struct lxc_container* c) { return c->freeze(c); });
  }
  Napi::Value Unfreeze(const Napi::CallbackInfo& info) {
    return ask(info, "Unfreezing", [](struct lxc_container* c) { return c->unfreeze(c); });
  }

  Napi::Value GetCgroup(const Napi::CallbackInfo& info) {
    std::string file = info[0].As<Napi::String>();
    return askText(info, [file](Lxc& lxc) {
      auto* c = lxc.get();
      int length = c->get_cgroup_item(c, file.c_str(), nullptr, 0);
      if (length < 0) throw Failure("LXC_FAILED", "The cgroup value \"" + file + "\" cannot be read", lxc.said());
      std::string text(static_cast<size_t>(length) + 1, '\0');
      length = c->get_cgroup_item(c, file.c_str(), text.data(), static_cast<int>(text.size()));
      text.resize(length > 0 ? std::min(static_cast<size_t>(length), text.size()) : 0);
      return text;
    });
  }
  Napi::Value SetCgroup(const Napi::CallbackInfo& info) {
    std::string file = info[0].As<Napi::String>(), value = info[1].As<Napi::String>();
    return ask(info, "Setting a cgroup value", [file, value](struct lxc_container* c) { return c->set_cgroup_item(c, file.c_str(), value.c_str()); });
  }
  Napi::Value GetRunning(const Napi::CallbackInfo& info) {
    std::string key = info[0].As<Napi::String>();
    return askText(info, [key](Lxc& lxc) {
      auto* c = lxc.get();
      char* value = c->get_running_config_item(c, key.c_str());
      if (value == nullptr) throw Failure("LXC_FAILED", "The running item \"" + key + "\" cannot be read", lxc.said());
      std::string text = value;
      free(value);
      return text;
    });
  }

  template <typename Call>
  Napi::Value configure(const Napi::CallbackInfo& info, const std::string& what, Call call) {
    auto handle = need(info.Env());
    return runAsync(info.Env(), [handle, what, call]() -> Result {
      std::lock_guard guard(handle->mutex);
      handle->lxc->said();
      if (!call(handle->lxc->get())) throw Failure("LXC_FAILED", what + " failed", handle->lxc->said());
      return undefinedResult();
    });
  }

  Napi::Value GetConfig(const Napi::CallbackInfo& info) {
    auto handle = need(info.Env());
    std::string key = info[0].As<Napi::String>();
    return runAsync(info.Env(), [handle, key]() -> Result {
      std::lock_guard guard(handle->mutex);
      auto& lxc = *handle->lxc;
      auto* c = lxc.get();
      int length = c->get_config_item(c, key.c_str(), nullptr, 0);
      if (length < 0) throw Failure("LXC_FAILED", "The config item \"" + key + "\" cannot be read", lxc.said());
      std::string text(static_cast<size_t>(length) + 1, '\0');
      c->get_config_item(c, key.c_str(), text.data(), length + 1);
      text.resize(static_cast<size_t>(length));
      return [text](Napi::Env env) -> Napi::Value { return Napi::String::New(env, text); };
    });
  }
  Napi::Value SetConfig(const Napi::CallbackInfo& info) {
    std::string key = info[0].As<Napi::String>(), value = info[1].As<Napi::String>();
    // liblxc takes such a value and writes it raw: what follows the line end becomes an item of its own at the next load.
    for (unsigned char c : key + value)
      if (c < 0x20 || c == 0x7f) throw toError(info.Env(), Failure("VALUE_INVALID", "The value of \"" + key + "\" holds a control character."));
    return configure(info, "Setting the config item \"" + key + "\"",
                     [key, value](struct lxc_container* c) { return c->set_config_item(c, key.c_str(), value.c_str()); });
  }
  Napi::Value ClearConfig(const Napi::CallbackInfo& info) {
    std::string key = info[0].As<Napi::String>();
    return configure(info, "Clearing the config item \"" + key + "\"",
                     [key](struct lxc_container* c) { return c->clear_config_item(c, key.c_str()); });
  }
  Napi::Value LoadConfig(const Napi::CallbackInfo& info) {
    std::string file = info[0].As<Napi::String>();
    return configure(info, "Loading \"" + file + "\"", [file](struct lxc_container* c) { return c->load_config(c, file.c_str()); });
  }
  Napi::Value SaveConfig(const Napi::CallbackInfo& info) {
    std::string file = info[0].As<Napi::String>();
    return configure(info, "Saving \"" + file + "\"", [file](struct lxc_container* c) { return c->save_config(c, file.c_str()); });
  }
};

}  // namespace

void initContainer(Napi::Env env, Napi::Object exports) {
  Container::Init(env, exports);
  exports.Set("lxcVersion", Napi::Function::New(env, [](const Napi::CallbackInfo& info) -> Napi::Value {
                return Napi::String::New(info.Env(), lxc_get_version());
              }));
  exports.Set("lxcHasExtension", Napi::Function::New(env, [](const Napi::CallbackInfo& info) -> Napi::Value {
                return Napi::Boolean::New(info.Env(), lxc_has_api_extension(info[0].As<Napi::String>().Utf8Value().c_str()));
              }));
}
