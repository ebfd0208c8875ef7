// The helper process (zygote): small, single-threaded, started before the daemon's heap grows. It forks a child for everything that
// must not happen inside Node: a start (the child becomes the container's monitor), a command in a container, work below a root.
// It ends when the daemon's end of the socket closes; monitors go on.
//
//   daemon --request--> helper --fork--> child --reply--> daemon        (exec, write, plug)
//                         |  '-- start: the helper itself replies, when the monitor answers on its command socket
#include "helper.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include <map>

#include <lxc/lxccontainer.h>

using protocol::Message;
using protocol::Packet;

static constexpr int kSocket = 3;

namespace {

struct Child {
  uint32_t id;
  uint32_t op;
  // Starts only, until RUNNING is known:
  bool waiting = false;
  int connection = -1;
  long startedMs = 0;
  long nextTryMs = 0;
  std::string lxcpath, name, log;
};

std::map<pid_t, Child> children;

long nowMs() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

/** The name liblxc gives a container's command socket: PATH/NAME/command, or a hash (FNV-1a of PATH/NAME) where that is too long. */
socklen_t commandAddress(const std::string& lxcpath, const std::string& name, struct sockaddr_un& address) {
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  std::string path = lxcpath + "/" + name + "/command";
  // liblxc: len = sizeof(sun_path) - 2, hashed when the text does not fit with its NUL.
  if (path.size() >= sizeof address.sun_path - 2) {
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (unsigned char c : lxcpath + "/" + name) hash = (hash ^ c) * 0x100000001b3ULL;
    char text[17];
    snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
    path = std::string("lxc/") + text + "/command";
  }
  memcpy(address.sun_path + 1, path.data(), path.size());
  return static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) + 1 + path.size());
}

/**
 * Connects to the command socket of a starting monitor and says nothing. The monitor accepts and closes it when it first reaches its
 * main loop, which is right after it set RUNNING; when it gives up before, the connection is reset. No liblxc call that could block.
 */
void connectTo(pid_t monitor, Child& child) {
  struct sockaddr_un address;
  socklen_t length = commandAddress(child.lxcpath, child.name, address);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  struct ucred peer = {};
  socklen_t size = sizeof peer;
  if (connect(fd, reinterpret_cast<struct sockaddr*>(&address), length) == 0 &&
      getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == monitor && shutdown(fd, SHUT_WR) == 0) {
    child.connection = fd;
    return;
  }
  close(fd);
}

/** The first child of a process: a monitor's only child is the container's init. 0 when there is none. */
pid_t firstChild(pid_t parent) {
  std::string path = "/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children";
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[32] = {};
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  return n > 0 ? static_cast<pid_t>(atol(text)) : 0;
}

void checkConnection(pid_t monitor, Child& child) {
  char byte;
  ssize_t n = recv(child.connection, &byte, 1, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  close(child.connection);
  child.connection = -1;
  if (n < 0) {
    // Reset: it will end by itself. Until then there is nothing to connect to.
    child.nextTryMs = nowMs() + 100;
    return;
  }
  child.waiting = false;
  reply(kSocket, child.id, protocol::kDone, {std::to_string(firstChild(monitor)), std::to_string(monitor)});
}

void reapChildren() {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    auto found = children.find(pid);
    if (found == children.end()) continue;
    Child& child = found->second;
    if (child.connection >= 0) close(child.connection);
    if (child.op == protocol::kStart && child.waiting) {
      bool ran = WIFEXITED(status) && WEXITSTATUS(status) == 0;
      const char* why = ran ? "Its init ended at once." : WIFSIGNALED(status) ? "Its monitor was killed." : "liblxc gave up.";
      reply(kSocket, child.id, protocol::kFailed, {"LXC_START_FAILED", why, readLog(AT_FDCWD, child.log.c_str())});
    }
    reply(kSocket, child.id, protocol::kEnded, {std::to_string(status)});
    children.erase(found);
  }
}

pid_t forkChild() {
  pid_t pid = fork();
  if (pid != 0) return pid;
  for (auto& [other, child] : children)
    if (child.connection >= 0) close(child.connection);
  return 0;
}

void handle(Message& request) {
  if (request.op == protocol::kCancel) {
    for (auto& [pid, child] : children)
      if (child.id == request.id && child.op != protocol::kStart) kill(pid, SIGKILL);
    return;
  }
  bool known = (request.op == protocol::kStart && request.fields.size() == 4) || (request.op == protocol::kExec && request.fields.size() >= 9) ||
               (request.op == protocol::kWrite && request.fields.size() % 3 == 1) || (request.op == protocol::kPlug && request.fields.size() == 9);
  if (!known) {
    reply(kSocket, request.id, protocol::kFailed, {"LXC_FAILED", "The helper does not know this request.", ""});
    return;
  }
  pid_t pid = forkChild();
  if (pid < 0) {
    replyErrno(kSocket, request.id, "LXC_FAILED", "The helper could not fork", errno);
    return;
  }
  if (pid == 0) {
    if (request.op == protocol::kStart) runMonitor(request);
    if (request.op == protocol::kExec) runExec(kSocket, request);
    if (request.op == protocol::kPlug) runPlug(kSocket, request);
    runWrite(kSocket, request);
  }
  Child child;
  child.id = request.id;
  child.op = request.op;
  if (request.op == protocol::kStart) {
    child.waiting = true;
    child.startedMs = nowMs();
    child.lxcpath = request.fields[0];
    child.name = request.fields[1];
    child.log = request.fields[2];
  }
  children.emplace(pid, std::move(child));
}

}  // namespace

void reply(int socket, uint32_t id, uint32_t op, std::vector<std::string> fields, std::vector<int> fds) {
  Message message{id, op, std::move(fields), std::move(fds)};
  Packet packet;
  if (pack(message, packet)) sendPacket(socket, packet, 0);
}

void replyErrno(int socket, uint32_t id, const char* code, const std::string& message, int error, const std::string& log) {
  reply(socket, id, protocol::kFailed, {code, message + ": " + strerror(error) + ".", log});
}

void resetProcess(int keep) {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; number++) sigaction(number, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // What a container gets must not depend on how the daemon was started: systemd's defaults for services.
  auto limit = [](__rlimit_resource what, rlim_t soft, rlim_t hard) {
    struct rlimit value = {soft, hard};
    if (setrlimit(what, &value) == 0) return;
    // Without CAP_SYS_RESOURCE (nested) the hard limit can't grow.
    if (getrlimit(what, &value) == 0 && soft <= value.rlim_max) {
      value.rlim_cur = soft;
      setrlimit(what, &value);
    }
  };
  limit(RLIMIT_NOFILE, 1024, 524288);
  limit(RLIMIT_CORE, 0, RLIM_INFINITY);
  limit(RLIMIT_NPROC, RLIM_INFINITY, RLIM_INFINITY);
  limit(RLIMIT_MEMLOCK, 8 * 1024 * 1024, 8 * 1024 * 1024);
  limit(RLIMIT_STACK, 8 * 1024 * 1024, RLIM_INFINITY);
  limit(RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY);
  umask(022);
  int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score >= 0) {
    (void)!write(score, "0", 1);
    close(score);
  }
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd <= 2; fd++) dup2(null, fd);
  if (null > 2) close(null);
  if (keep == kKeepAll) return;
  if (keep < 0) {
    close_range(3, ~0U, 0);
  } else {
    if (keep > 3) close_range(3, static_cast<unsigned>(keep) - 1, 0);
    close_range(static_cast<unsigned>(keep) + 1, ~0U, 0);
  }
}

void setProcessTitle(const std::string& title) {
  // The kernel shows what lies between arg_start and arg_end (proc_pid_cmdline(5)). The whole map is set at once, because setting one
  // address needs CAP_SYS_RESOURCE and this does not (prctl(2), PR_SET_MM_MAP). Fields 26 to 51 of proc_pid_stat(5) fill the rest.
  FILE* file = fopen("/proc/self/stat", "re");
  if (file == nullptr) return;
  char line[2048] = {};
  size_t length = fread(line, 1, sizeof line - 1, file);
  fclose(file);
  char* at = length > 0 ? strrchr(line, ')') : nullptr;
  if (at == nullptr) return;
  unsigned long long fields[52] = {};
  at += 3;  // behind the name: the state, field 3
  for (int i = 3; i <= 51 && at != nullptr; i++) {
    fields[i] = strtoull(at, nullptr, 10);
    at = strchr(at, ' ');
    if (at != nullptr) at++;
  }
  char* text = strdup(title.c_str());  // has to stay
  if (text == nullptr) return;
  struct prctl_mm_map map = {};
  map.start_code = fields[26];
  map.end_code = fields[27];
  map.start_stack = fields[28];
  map.start_data = fields[45];
  map.end_data = fields[46];
  map.start_brk = fields[47];
  map.brk = reinterpret_cast<unsigned long>(sbrk(0));
  map.arg_start = reinterpret_cast<unsigned long>(text);
  map.arg_end = map.arg_start + title.size() + 1;
  map.env_start = fields[50];
  map.env_end = fields[51];
  map.exe_fd = static_cast<uint32_t>(-1);
  // Cosmetic: where it fails (no CONFIG_CHECKPOINT_RESTORE), ps shows the helper's name.
  if (prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0) != 0) free(text);
}

std::string readLog(int directory, const char* path) {
  int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return "";
  struct stat info;
  constexpr off_t kTail = 16 * 1024;
  if (fstat(fd, &info) == 0 && info.st_size > kTail) lseek(fd, -kTail, SEEK_END);
  std::string text = protocol::readAll(fd, 1024 * 1024).value_or("");
  close(fd);
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    std::string line = text.substr(at, end - at);
    at = end + 1;
    // Said at every start: root writes the id maps itself, and not every kernel has all files liblxc would hand over; the monitor holds the
    // namespace it returns to.
    bool usual = line.find("newuidmap") != std::string::npos || line.find("newgidmap") != std::string::npos ||
                 line.find("Failed to fchown") != std::string::npos || line.find("Inherited fd") != std::string::npos;
    if (!usual && !line.empty()) out += line + "\n";
  }
  return out;
}

/**
 * Where liblxc finds apparmor_parser, which it runs by name to load a generated profile (lsm/apparmor.c), and does not find newuidmap:
 * root without it writes the id maps itself, which saves four executions at every start and needs no /etc/subuid.
 */
const char* searchPath() {
  for (const char* directory : {"/usr/sbin", "/sbin", "/usr/local/sbin"}) {
    auto has = [directory](const char* program) { return access((std::string(directory) + "/" + program).c_str(), X_OK) == 0; };
    if (has("apparmor_parser") && !has("newuidmap") && !has("newgidmap")) return directory;
  }
  return "/nonexistent";
}

int main() {
  prctl(PR_SET_NAME, "lockstep-helper");
  clearenv();
  setenv("PATH", searchPath(), 1);
  (void)!chdir("/");
  close_range(kSocket + 1, ~0U, 0);
  fcntl(kSocket, F_SETFD, FD_CLOEXEC);
  signal(SIGPIPE, SIG_IGN);

  sigset_t watched;
  sigemptyset(&watched);
  sigaddset(&watched, SIGCHLD);
  sigprocmask(SIG_SETMASK, &watched, nullptr);
  int signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) return 1;
  // Resolved here once instead of in every child; the call also makes the loader bind what liblxc needs.
  lxc_get_version();

  for (;;) {
    std::vector<struct pollfd> fds = {{kSocket, POLLIN, 0}, {signals, POLLIN, 0}};
    std::vector<pid_t> starting;
    int timeout = -1;
    long now = nowMs();
    for (auto& [pid, child] : children) {
      if (!child.waiting) continue;
      if (child.connection < 0 && now >= child.nextTryMs) {
        connectTo(pid, child);
        // The socket is there 2 to 5 ms after the fork; something that takes longer is stuck and need not be asked so often.
        if (child.connection < 0) child.nextTryMs = now + (now - child.startedMs < 100 ? 1 : 20);
      }
      if (child.connection >= 0) {
        fds.push_back({child.connection, POLLIN, 0});
        starting.push_back(pid);
      } else {
        int wait = static_cast<int>(child.nextTryMs > now ? child.nextTryMs - now : 0);
        timeout = timeout < 0 || wait < timeout ? wait : timeout;
      }
    }
    if (poll(fds.data(), fds.size(), timeout) < 0 && errno != EINTR) return 1;
    for (size_t i = 0; i < starting.size(); i++) {
      if (fds[i + 2].revents == 0) continue;
      auto found = children.find(starting[i]);
      if (found != children.end() && found->second.connection >= 0) checkConnection(found->first, found->second);
    }
    if (fds[1].revents != 0) {
      struct signalfd_siginfo info;
      while (read(signals, &info, sizeof info) > 0) continue;
      reapChildren();
    }
    if (fds[0].revents != 0) {
      Message request;
      int got = protocol::receive(kSocket, request, MSG_DONTWAIT);
      if (got < 0 && errno != EBADMSG) return 0;
      if (got > 0) {
        handle(request);
        request.closeFds();
      }
    }
  }
}
