// Sockets Node has no call for: datagrams to systemd's notify socket (sd_notify(3)), who is at the other end of a unix socket
// (unix(7), SO_PEERCRED), and who listens on an abstract one.
#include <napi.h>

#include "areas.h"
#include "async.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace {

/** False when the path does not fit. A leading @ means an abstract name. */
bool unixAddress(const std::string& path, struct sockaddr_un& address, socklen_t& length) {
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() > sizeof address.sun_path) return false;
  memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';
  length = static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) + path.size());
  return true;
}

Napi::Value credentials(Napi::Env env, int fd) {
  struct ucred peer = {};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) throw toError(env, systemFailure("The peer is not known", errno));
  auto out = Napi::Object::New(env);
  out.Set("pid", Napi::Number::New(env, peer.pid));
  out.Set("uid", Napi::Number::New(env, peer.uid));
  out.Set("gid", Napi::Number::New(env, peer.gid));
  return out;
}

/** sdNotify(text): false when nobody listens (NOTIFY_SOCKET is not set). */
Napi::Value SdNotify(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const char* path = getenv("NOTIFY_SOCKET");
  if (path == nullptr || *path == '\0') return Napi::Boolean::New(env, false);
  std::string text = info[0].As<Napi::String>();
  struct sockaddr_un address;
  socklen_t length = 0;
  if (!unixAddress(path, address, length)) throw toError(env, Failure("ENAMETOOLONG", "NOTIFY_SOCKET is too long"));
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ssize_t sent = fd < 0 ? -1 : sendto(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT, reinterpret_cast<struct sockaddr*>(&address), length);
  int error = errno;
  if (fd >= 0) close(fd);
  if (sent < 0) throw toError(env, systemFailure("The notification cannot be sent", error));
  return Napi::Boolean::New(env, true);
}

/** peerCredentials(fd): { pid, uid, gid } of who connected. */
Napi::Value PeerCredentials(const Napi::CallbackInfo& info) { return credentials(info.Env(), info[0].As<Napi::Number>().Int32Value()); }

/** listenerOf(path): credentials of the process that listens on a unix socket; undefined when nobody does. Never blocks. */
Napi::Value ListenerOf(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  struct sockaddr_un address;
  socklen_t length = 0;
  if (!unixAddress(info[0].As<Napi::String>().Utf8Value(), address, length)) return env.Undefined();
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) throw toError(env, systemFailure("No socket can be made", errno));
  if (connect(fd, reinterpret_cast<struct sockaddr*>(&address), length) != 0) {
    int error = errno;
    close(fd);
    // EAGAIN: its queue is full; somebody is there, but who is not told.
    if (error == ECONNREFUSED || error == ENOENT) return env.Undefined();
    throw toError(env, systemFailure("The listener cannot be asked", error));
  }
  struct Closer {
    int fd;
    ~Closer() { close(fd); }
  } closer{fd};
  return credentials(env, fd);
}

}  // namespace

void initSockets(Napi::Env env, Napi::Object exports) {
  exports.Set("sdNotify", Napi::Function::New(env, SdNotify));
  exports.Set("peerCredentials", Napi::Function::New(env, PeerCredentials));
  exports.Set("listenerOf", Napi::Function::New(env, ListenerOf));
}
