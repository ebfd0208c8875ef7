// A start: the forked child becomes the container's monitor. It calls liblxc's start in the foreground, which returns when the
// container's init has ended for good (a guest's reboot is handled inside), and then leaves the exit record.
// liblxc: "struct lxc_container", start, want_daemonize, error_num.
#include <signal.h>
#include <time.h>

#include <lxc/lxccontainer.h>

#include "helper-disks.h"
#include "helper.h"

/** {"at": epoch ms, "code": n} or {"at": epoch ms, "signal": n}, by temporary file and rename; the reader never sees half of it. */
static void writeExitRecord(const std::string& path, int status) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  long long at = now.tv_sec * 1000LL + now.tv_nsec / 1'000'000;
  char text[96];
  // liblxc's own encoding (signal_handler in start.c): the value in the second byte, 0x7f in the first when it was a signal.
  const char* what = (status & 0x7f) == 0x7f ? "signal" : "code";
  int length = snprintf(text, sizeof text, "{\"at\":%lld,\"%s\":%d}\n", at, what, status >> 8 & 0xff);
  std::string temporary = path + ".new";
  unlink(temporary.c_str());
  int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return;
  bool ok = protocol::writeAll(fd, text, static_cast<size_t>(length));
  close(fd);
  if (!ok || rename(temporary.c_str(), path.c_str()) != 0) unlink(temporary.c_str());
}

/** Replaces a file by temporary file and rename. */
static bool copyFile(const std::string& from, const std::string& to) {
  int source = open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (source < 0) return false;
  auto text = protocol::readAll(source, 16 * 1024 * 1024);
  close(source);
  std::string temporary = to + ".new";
  unlink(temporary.c_str());
  int fd = text ? open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
  if (fd < 0) return false;
  bool ok = protocol::writeAll(fd, text->data(), text->size()) && fsync(fd) == 0;
  close(fd);
  if (ok && rename(temporary.c_str(), to.c_str()) == 0) return true;
  unlink(temporary.c_str());
  return false;
}

/**
 * liblxc would reboot a guest with the configuration it read at the first start, and devices plugged in or out since then would come back
 * or be gone. A post-stop hook that fails makes it stop instead (start.c, lxc_end), and the monitor starts the container again itself,
 * from the configuration as it is now. Set here and not in the file, where the container's directory is all it would need.
 */
static constexpr const char* kRefuseReboot = "/bin/sh -c 'test \"$LXC_TARGET\" != reboot'";

/** The kernel reports a guest's reboot(2) as SIGHUP (pid_namespaces(7)); in liblxc's encoding of the status, see above. */
static bool isReboot(int status) { return (status & 0x7f) == 0x7f && (status >> 8 & 0xff) == SIGHUP; }

static struct lxc_container* openContainer(const std::string& lxcpath, const std::string& name) {
  struct lxc_container* c = lxc_container_new(name.c_str(), lxcpath.c_str());
  if (c == nullptr) return nullptr;
  // In the foreground: only so the exit status comes back to us. liblxc insists on a single thread here.
  if (c->is_defined(c) && c->want_daemonize(c, false) && c->set_config_item(c, "lxc.hook.post-stop", kRefuseReboot)) return c;
  lxc_container_put(c);
  return nullptr;
}

/** Ends with a line where liblxc's own are, which is where the reason of a failed start is looked for. */
[[noreturn]] static void giveUp(const std::string& log, const std::string& name, const std::string& problem) {
  std::string line = "lockstep " + name + " ERROR " + problem + "\n";
  int fd = open(log.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
  if (fd >= 0) (void)!write(fd, line.data(), line.size());
  _exit(1);
}

[[noreturn]] void runMonitor(const protocol::Message& request) {
  const std::string &lxcpath = request.fields[0], &name = request.fields[1], &log = request.fields[2], &exitFile = request.fields[3];
  const std::string directory = lxcpath + "/" + name;
  resetProcess(kKeepNone);
  setsid();
  // What LXC's own tools and people look for in ps.
  setProcessTitle("[lxc monitor] " + lxcpath + " " + name);

  int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0) close(fd);
  struct lxc_log settings = {};
  settings.name = name.c_str();
  settings.lxcpath = lxcpath.c_str();
  settings.file = log.c_str();
  settings.level = "WARN";
  settings.quiet = true;
  lxc_log_init(&settings);

  struct lxc_container* c = openContainer(lxcpath, name);
  if (c == nullptr) _exit(2);
  for (;;) {
    HostDisks disks(c, directory);
    if (!disks.problem().empty()) giveUp(log, name, disks.problem());
    bool ended = c->start(c, 0, nullptr);
    disks.leave();
    if (!ended) _exit(1);
    if (!isReboot(c->error_num)) break;
    // The hook's refusal stands there as an error, and it was none.
    (void)!truncate(log.c_str(), 0);
    struct lxc_container* now = openContainer(lxcpath, name);
    // With a configuration that cannot be read it comes up as it was; the daemon will look at the file.
    if (now == nullptr) continue;
    lxc_container_put(c);
    c = now;
    copyFile(directory + "/instance.json", directory + "/started.json");
  }
  writeExitRecord(exitFile, c->error_num);
  _exit(0);
}
