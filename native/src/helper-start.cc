// A start: the forked child becomes the container's monitor. It calls liblxc's start in the foreground, which returns when the
// container's init has ended for good (a guest's reboot is handled inside), and then leaves the exit record.
// liblxc: "struct lxc_container", start, want_daemonize, error_num.
#include <signal.h>
#include <time.h>

#include <lxc/lxccontainer.h>

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

[[noreturn]] void runMonitor(const protocol::Message& request) {
  const std::string &lxcpath = request.fields[0], &name = request.fields[1], &log = request.fields[2], &exitFile = request.fields[3];
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

  struct lxc_container* c = lxc_container_new(name.c_str(), lxcpath.c_str());
  if (c == nullptr || !c->is_defined(c)) _exit(2);
  // In the foreground: only so the exit status comes back to us. liblxc insists on a single thread here.
  c->want_daemonize(c, false);
  if (!c->start(c, 0, nullptr)) _exit(1);
  writeExitRecord(exitFile, c->error_num);
  _exit(0);
}
