// What the addon and the helper say to each other over their SOCK_SEQPACKET pair: one message per packet.
// A message is an id (the request's), an operation and a list of byte strings. Everything is length-checked on both sides.
// A body that is too long for one packet travels as a memfd, which is then the first descriptor of the packet.
#pragma once
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace protocol {

enum Op : uint32_t {
  // Requests.
  kStart = 1,   // lxcpath, name, log file, exit file
  kExec = 2,    // lxcpath, name, cwd, uid, gid, columns ("" = no terminal), rows, number of environment entries, entries, arguments; fds: 0, 1, 2
  kWrite = 3,   // root file system, then path, mode (octal), content for each file
  kCancel = 4,  // ends the child that works on request `id`
  kPlug = 5,    // init pid, monitor pid, "plug" or "unplug", kind (directory, file, node, tmpfs), source, target, read-only, recursive ("1"), size
  // Replies.
  kDone = 100,    // start: init pid, monitor pid; exec: pid, fds: pidfd [, terminal]
  kFailed = 101,  // code, message, log
  kExited = 102,  // exec: exit code of the command
  kEnded = 103,   // the child that worked on request `id` is gone: its wait status
};

constexpr size_t kMaxInline = 60 * 1024;
constexpr size_t kMaxBody = 64 * 1024 * 1024;
constexpr size_t kMaxFields = 100'000;
constexpr size_t kMaxFds = 8;

struct Message {
  uint32_t id = 0;
  uint32_t op = 0;
  std::vector<std::string> fields;
  std::vector<int> fds;

  void closeFds() {
    for (int fd : fds) close(fd);
    fds.clear();
  }
};

inline void putNumber(std::string& out, uint32_t value) { out.append(reinterpret_cast<const char*>(&value), sizeof value); }

inline bool takeNumber(const std::string& in, size_t& at, uint32_t& value) {
  if (in.size() - at < sizeof value) return false;
  memcpy(&value, in.data() + at, sizeof value);
  at += sizeof value;
  return true;
}

inline std::string encodeFields(const std::vector<std::string>& fields) {
  std::string out;
  putNumber(out, static_cast<uint32_t>(fields.size()));
  for (const auto& field : fields) {
    putNumber(out, static_cast<uint32_t>(field.size()));
    out += field;
  }
  return out;
}

inline bool decodeFields(const std::string& in, std::vector<std::string>& fields) {
  size_t at = 0;
  uint32_t count = 0;
  if (!takeNumber(in, at, count) || count > kMaxFields) return false;
  fields.reserve(count);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t length = 0;
    if (!takeNumber(in, at, length) || length > in.size() - at) return false;
    fields.emplace_back(in, at, length);
    at += length;
  }
  return at == in.size();
}

inline bool writeAll(int fd, const char* data, size_t size) {
  while (size > 0) {
    ssize_t n = write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

inline std::optional<std::string> readAll(int fd, size_t limit) {
  std::string out;
  char buffer[16384];
  for (;;) {
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::nullopt;
    if (n == 0) return out;
    if (out.size() + static_cast<size_t>(n) > limit) return std::nullopt;
    out.append(buffer, static_cast<size_t>(n));
  }
}

/** A message ready to be sent: the packet, and the descriptors it carries (owned). */
struct Packet {
  std::string data;
  std::vector<int> fds;

  Packet() = default;
  Packet(const Packet&) = delete;
  Packet& operator=(const Packet&) = delete;
  Packet(Packet&& other) noexcept : data(std::move(other.data)), fds(std::move(other.fds)) { other.fds.clear(); }
  Packet& operator=(Packet&&) = delete;
  ~Packet() {
    for (int fd : fds) close(fd);
  }
};

/** Packs a message and takes its descriptors over. False (errno set) when it is too long or no memfd can be made. */
inline bool pack(Message& message, Packet& packet) {
  std::string body = encodeFields(message.fields);
  putNumber(packet.data, message.id);
  putNumber(packet.data, message.op);
  packet.fds = std::move(message.fds);
  message.fds.clear();
  bool far = body.size() > kMaxInline;
  putNumber(packet.data, far ? 1 : 0);
  if (!far) {
    packet.data += body;
    return true;
  }
  if (body.size() > kMaxBody) {
    errno = E2BIG;
    return false;
  }
  int fd = memfd_create("lockstep-message", MFD_CLOEXEC);
  if (fd < 0) return false;
  packet.fds.insert(packet.fds.begin(), fd);
  return writeAll(fd, body.data(), body.size()) && lseek(fd, 0, SEEK_SET) == 0;
}

/** One packet: 1 sent, 0 would block, -1 failed (errno). */
inline int sendPacket(int socket, const Packet& packet, int flags) {
  struct iovec vector = {const_cast<char*>(packet.data.data()), packet.data.size()};
  alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * (kMaxFds + 1))] = {};
  struct msghdr header = {};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  if (!packet.fds.empty()) {
    size_t size = sizeof(int) * packet.fds.size();
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(size);
    struct cmsghdr* item = CMSG_FIRSTHDR(&header);
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(item), packet.fds.data(), size);
  }
  for (;;) {
    ssize_t n = sendmsg(socket, &header, flags | MSG_NOSIGNAL);
    if (n >= 0) return 1;
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
  }
}

/** Next packet: 1 received, 0 would block, -1 closed or not understood. Descriptors belong to the message. */
inline int receive(int socket, Message& message, int flags) {
  std::string data(kMaxInline + 4096, '\0');
  struct iovec vector = {data.data(), data.size()};
  alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * (kMaxFds + 1))];
  struct msghdr header = {};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t n;
  do n = recvmsg(socket, &header, flags | MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
  for (struct cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof fd);
      message.fds.push_back(fd);
    }
  }
  if (n == 0) {
    errno = EPIPE;  // not what an earlier call has left there: EBADMSG would mean "read on"
    return -1;
  }
  data.resize(static_cast<size_t>(n));
  size_t at = 0;
  uint32_t far = 0;
  if ((header.msg_flags & MSG_CTRUNC) != 0 && takeNumber(data, at, message.id)) {
    // The kernel had no descriptor left to put one of these in (unix(7)). Whoever waits for this message must be told.
    message.closeFds();
    message.op = kFailed;
    message.fields = {"LXC_FAILED", "No descriptor is left for what came with a message.", ""};
    return 1;
  }
  bool ok = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && takeNumber(data, at, message.id) && takeNumber(data, at, message.op) &&
            takeNumber(data, at, far);
  if (ok && far == 0) {
    ok = decodeFields(data.substr(at), message.fields);
  } else if (ok) {
    ok = !message.fds.empty();
    if (ok) {
      int fd = message.fds.front();
      message.fds.erase(message.fds.begin());
      auto body = readAll(fd, kMaxBody);
      close(fd);
      ok = body.has_value() && decodeFields(*body, message.fields);
    }
  }
  if (ok) return 1;
  message.closeFds();
  errno = EBADMSG;
  return -1;
}

}  // namespace protocol
