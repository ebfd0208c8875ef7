// A command in a container: the forked child attaches, reports the process, waits for it and reports its exit code.
// It ends the command when the daemon goes away. liblxc: attach (attach_options.h), devpts_fd.
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <lxc/attach_options.h>
#include <lxc/lxccontainer.h>

#include "helper.h"

namespace {

struct Command {
  std::string cwd;
  uid_t uid;
  gid_t gid;
  bool terminal;
  std::vector<char*> argv, env;
  int report;  // CLOEXEC: closed without a word means that the command runs
};

[[noreturn]] void giveUp(const Command& command, char stage) {
  int report[2] = {stage, errno};
  (void)!write(command.report, report, sizeof report);
  _exit(errno == ENOENT ? 127 : 126);
}

/** Runs inside the container, as its root, with its capabilities, seccomp filter and LSM label already applied by liblxc. */
int runInside(void* payload) {
  auto& command = *static_cast<Command*>(payload);
  // All but 0-2 and the report end here; the report ends at execve.
  if (command.report > 3) close_range(3, static_cast<unsigned>(command.report) - 1, 0);
  close_range(static_cast<unsigned>(command.report) + 1, ~0U, 0);
  if (getsid(0) != getpid()) setsid();
  if (command.terminal) ioctl(0, TIOCSCTTY, 0);
  // Groups can't be dropped in a container that denies setgroups; there are none to drop there.
  if (setgroups(0, nullptr) != 0 && errno != EPERM) giveUp(command, 'u');
  if (setresgid(command.gid, command.gid, command.gid) != 0 || setresuid(command.uid, command.uid, command.uid) != 0) giveUp(command, 'u');
  if (chdir(command.cwd.c_str()) != 0) giveUp(command, 'd');
  umask(022);
  clearenv();
  environ = command.env.data();
  // execvp looks in our PATH variable, which is now the command's own.
  execvp(command.argv[0], command.argv.data());
  giveUp(command, 'x');
}

/** The host id behind an id of the container, from its init's map; -1 when it has none. */
long hostId(pid_t init, const char* map, unsigned long id) {
  std::string path = "/proc/" + std::to_string(init) + "/" + map;
  FILE* file = fopen(path.c_str(), "re");
  if (file == nullptr) return -1;
  unsigned long inside, outside, count;
  long found = -1;
  while (fscanf(file, "%lu %lu %lu", &inside, &outside, &count) == 3)
    if (id >= inside && id - inside < count) found = static_cast<long>(outside + (id - inside));
  fclose(file);
  return found;
}

/** A terminal of the container's own devpts, so that its `tty` has a name. Through liblxc's descriptor: never by a path the container controls. */
bool openTerminal(struct lxc_container* c, const Command& command, const std::string& columns, const std::string& rows, int& controller,
                  int& peer) {
  int devpts = c->devpts_fd(c);
  if (devpts < 0) return false;
  controller = openat(devpts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
  close(devpts);
  if (controller < 0) return false;
  int unlock = 0;
  if (ioctl(controller, TIOCSPTLCK, &unlock) != 0) return false;
  peer = ioctl(controller, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (peer < 0) return false;
  struct winsize size = {};
  size.ws_col = static_cast<unsigned short>(atoi(columns.c_str()));
  size.ws_row = static_cast<unsigned short>(atoi(rows.c_str()));
  ioctl(controller, TIOCSWINSZ, &size);
  pid_t init = c->init_pid(c);
  long uid = hostId(init, "uid_map", command.uid), gid = hostId(init, "gid_map", command.gid);
  if (uid >= 0 && gid >= 0 && fchown(peer, static_cast<uid_t>(uid), static_cast<gid_t>(gid)) == 0) fchmod(peer, 0620);
  return true;
}

}  // namespace

[[noreturn]] void runExec(int socket, protocol::Message& request) {
  uint32_t id = request.id;
  auto& fields = request.fields;
  const std::string lxcpath = fields[0], name = fields[1], columns = fields[5], rows = fields[6];
  Command command;
  command.cwd = fields[2].empty() ? "/" : fields[2];
  command.uid = static_cast<uid_t>(strtoul(fields[3].c_str(), nullptr, 10));
  command.gid = static_cast<gid_t>(strtoul(fields[4].c_str(), nullptr, 10));
  command.terminal = !columns.empty();
  size_t environment = strtoul(fields[7].c_str(), nullptr, 10), argumentsAt = 8 + environment;
  size_t wanted = command.terminal ? 0 : 3;
  if (environment > fields.size() || argumentsAt >= fields.size() || request.fds.size() != wanted) {
    reply(socket, id, protocol::kFailed, {"LXC_FAILED", "The helper does not understand the command.", ""});
    _exit(0);
  }
  for (size_t i = 8; i < argumentsAt; i++) command.env.push_back(fields[i].data());
  command.env.push_back(nullptr);
  for (size_t i = argumentsAt; i < fields.size(); i++) command.argv.push_back(fields[i].data());
  command.argv.push_back(nullptr);

  // The three streams and the socket move above the range that is closed, in an order of our own.
  int keep = fcntl(socket, F_DUPFD_CLOEXEC, 100);
  int streams[3] = {-1, -1, -1};
  for (size_t i = 0; i < request.fds.size(); i++) streams[i] = fcntl(request.fds[i], F_DUPFD_CLOEXEC, keep + 1);
  int kept[4] = {keep, streams[0], streams[1], streams[2]};
  close_range(3, static_cast<unsigned>(keep) - 1, 0);
  int last = keep;
  for (int fd : kept)
    if (fd > last) last = fd;
  close_range(static_cast<unsigned>(last) + 1, ~0U, 0);
  resetProcess(kKeepAll);
  request.fds.clear();
  socket = keep;
  signal(SIGPIPE, SIG_IGN);

  int log = memfd_create("lockstep-log", MFD_CLOEXEC);
  std::string logPath = "/proc/self/fd/" + std::to_string(log);
  struct lxc_log settings = {};
  settings.name = name.c_str();
  settings.lxcpath = lxcpath.c_str();
  settings.file = logPath.c_str();
  settings.level = "WARN";
  settings.quiet = true;
  lxc_log_init(&settings);
  auto logText = [&] {
    lseek(log, 0, SEEK_SET);
    return protocol::readAll(log, 64 * 1024).value_or("");
  };

  struct lxc_container* c = lxc_container_new(name.c_str(), lxcpath.c_str());
  if (c == nullptr || !c->is_defined(c) || !c->is_running(c)) {
    reply(socket, id, protocol::kFailed, {"LXC_NOT_RUNNING", "The container is not running.", logText()});
    _exit(0);
  }
  int controller = -1, peer = -1;
  if (command.terminal && !openTerminal(c, command, columns, rows, controller, peer)) {
    replyErrno(socket, id, "EXEC_FAILED", "No terminal could be opened in the container", errno, logText());
    _exit(0);
  }
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) {
    replyErrno(socket, id, "EXEC_FAILED", "No pipe could be made", errno);
    _exit(0);
  }
  command.report = report[1];

  lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
  options.env_policy = LXC_ATTACH_CLEAR_ENV;
  options.initial_cwd = const_cast<char*>("/");
  options.stdin_fd = command.terminal ? peer : streams[0];
  options.stdout_fd = command.terminal ? peer : streams[1];
  options.stderr_fd = command.terminal ? peer : streams[2];
  pid_t pid = -1;
  int attached = c->attach(c, runInside, &command, &options, &pid);
  close(report[1]);
  for (int fd : streams)
    if (fd >= 0) close(fd);
  if (peer >= 0) close(peer);
  if (attached < 0) {
    reply(socket, id, protocol::kFailed, {"EXEC_FAILED", "liblxc could not enter the container.", logText()});
    _exit(0);
  }
  // The end of this pipe is the execve; what comes before is its failure.
  int failure[2];
  ssize_t n;
  do n = read(report[0], failure, sizeof failure);
  while (n < 0 && errno == EINTR);
  close(report[0]);
  if (n == sizeof failure) {
    waitpid(pid, nullptr, 0);
    if (failure[0] == 'x') {
      // As a shell says it: 127 not found, 126 not executable.
      const char* code = failure[1] == ENOENT || failure[1] == ENOTDIR ? "127" : "126";
      reply(socket, id, protocol::kFailed, {"EXEC_FAILED", std::string(strerror(failure[1])) + ".", "", code});
    } else {
      replyErrno(socket, id, "EXEC_FAILED", failure[0] == 'd' ? "The working directory cannot be entered" : "The user cannot be taken on", failure[1]);
    }
    _exit(0);
  }
  int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) {
    kill(pid, SIGKILL);
    replyErrno(socket, id, "EXEC_FAILED", "The command cannot be watched", errno);
    _exit(0);
  }
  std::vector<int> passed = {fcntl(pidfd, F_DUPFD_CLOEXEC, 3)};
  if (controller >= 0) passed.push_back(controller);
  reply(socket, id, protocol::kDone, {std::to_string(pid)}, passed);
  lxc_container_put(c);

  // A command must not outlive the daemon that asked for it: nobody would read it or end it.
  struct pollfd watched[2] = {{pidfd, POLLIN, 0}, {socket, 0, 0}};
  for (;;) {
    if (poll(watched, 2, -1) < 0 && errno != EINTR) break;
    if (watched[0].revents != 0) break;
    if ((watched[1].revents & (POLLHUP | POLLERR)) != 0) {
      kill(pid, SIGKILL);
      break;
    }
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  reply(socket, id, protocol::kExited, {std::to_string(code)});
  _exit(0);
}
