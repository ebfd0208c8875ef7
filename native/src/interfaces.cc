// Interfaces and addresses inside a container: a thread of ours enters its network namespace (that is per thread), asks the kernel, and
// comes back. Nothing of the container runs or is trusted; liblxc's get_interfaces and get_ips would fork inside Node.
#include <napi.h>

#include "areas.h"
#include "async.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>

namespace {

struct Interface {
  std::string hwaddr;
  int mtu = 0;
  bool up = false;
  std::vector<std::string> addresses;
};

int prefixLength(const struct sockaddr* mask) {
  if (mask == nullptr) return 0;
  const auto* bytes = mask->sa_family == AF_INET6 ? reinterpret_cast<const struct sockaddr_in6*>(mask)->sin6_addr.s6_addr
                                                   : reinterpret_cast<const uint8_t*>(&reinterpret_cast<const struct sockaddr_in*>(mask)->sin_addr);
  int bits = 0;
  for (int i = 0; i < (mask->sa_family == AF_INET6 ? 16 : 4); i++) bits += __builtin_popcount(bytes[i]);
  return bits;
}

std::map<std::string, Interface> readInterfaces() {
  std::map<std::string, Interface> out;
  struct ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) throw systemFailure("The interfaces cannot be read", errno);
  int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  for (auto* at = list; at != nullptr; at = at->ifa_next) {
    auto& interface = out[at->ifa_name];
    interface.up = (at->ifa_flags & IFF_UP) != 0;
    if (at->ifa_addr == nullptr) continue;
    char text[INET6_ADDRSTRLEN];
    if (at->ifa_addr->sa_family == AF_PACKET) {
      const auto* link = reinterpret_cast<const struct sockaddr_ll*>(at->ifa_addr);
      for (int i = 0; i < link->sll_halen && i < 8; i++) {
        snprintf(text, sizeof text, i == 0 ? "%02x" : ":%02x", link->sll_addr[i]);
        interface.hwaddr += text;
      }
      struct ifreq request = {};
      strncpy(request.ifr_name, at->ifa_name, sizeof request.ifr_name - 1);
      if (any >= 0 && ioctl(any, SIOCGIFMTU, &request) == 0) interface.mtu = request.ifr_mtu;
    } else {
      const void* address = at->ifa_addr->sa_family == AF_INET
                                ? static_cast<const void*>(&reinterpret_cast<const struct sockaddr_in*>(at->ifa_addr)->sin_addr)
                                : static_cast<const void*>(&reinterpret_cast<const struct sockaddr_in6*>(at->ifa_addr)->sin6_addr);
      if (inet_ntop(at->ifa_addr->sa_family, address, text, sizeof text) != nullptr)
        interface.addresses.push_back(std::string(text) + "/" + std::to_string(prefixLength(at->ifa_netmask)));
    }
  }
  if (any >= 0) close(any);
  freeifaddrs(list);
  return out;
}

/** interfacesOf(init pid): [{ name, hwaddr, mtu, up, addresses }] */
Napi::Value InterfacesOf(const Napi::CallbackInfo& info) {
  int pid = info[0].As<Napi::Number>().Int32Value();
  return runAsync(info.Env(), [pid]() -> Result {
    int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    int there = open(("/proc/" + std::to_string(pid) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC);
    int error = errno;
    std::map<std::string, Interface> found;
    std::unique_ptr<Failure> failure;
    if (home < 0 || there < 0) {
      failure = std::make_unique<Failure>(systemFailure("The network namespace of process " + std::to_string(pid) + " cannot be opened", error));
    } else if (setns(there, CLONE_NEWNET) != 0) {
      failure = std::make_unique<Failure>(systemFailure("The network namespace cannot be entered", errno));
    } else {
      try {
        found = readInterfaces();
      } catch (const Failure& problem) {
        failure = std::make_unique<Failure>(problem);
      }
      // A thread lost in a container's namespace must never do other work.
      if (setns(home, CLONE_NEWNET) != 0) abort();
    }
    if (home >= 0) close(home);
    if (there >= 0) close(there);
    if (failure) throw *failure;
    return [found](Napi::Env env) -> Napi::Value {
      auto out = Napi::Array::New(env);
      for (const auto& [name, interface] : found) {
        auto one = Napi::Object::New(env);
        one.Set("name", name);
        one.Set("hwaddr", interface.hwaddr);
        one.Set("mtu", Napi::Number::New(env, interface.mtu));
        one.Set("up", Napi::Boolean::New(env, interface.up));
        auto addresses = Napi::Array::New(env);
        for (size_t i = 0; i < interface.addresses.size(); i++) addresses.Set(static_cast<uint32_t>(i), interface.addresses[i]);
        one.Set("addresses", addresses);
        out.Set(out.Length(), one);
      }
      return out;
    };
  });
}

}  // namespace

void initInterfaces(Napi::Env env, Napi::Object exports) { exports.Set("interfacesOf", Napi::Function::New(env, InterfacesOf)); }
