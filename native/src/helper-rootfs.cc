// Files below a root file system whose author is not trusted: the child changes its root there first, so no link leads out, and
// replaces whatever lies at a path (a link, a pipe, a device node) instead of writing through it.
#include <signal.h>

#include "helper.h"

namespace {

struct Problem {
  std::string what;
  int error;
};

/** Opens the directory of an absolute path, making what is missing (0755, root). */
int openParent(const std::string& path) {
  int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  size_t start = 1;
  for (size_t end; at >= 0 && (end = path.find('/', start)) != std::string::npos; start = end + 1) {
    std::string part = path.substr(start, end - start);
    if (part.empty()) continue;
    if (mkdirat(at, part.c_str(), 0755) != 0 && errno != EEXIST) {
      int error = errno;
      close(at);
      throw Problem{"The directory of \"" + path + "\" cannot be made", error};
    }
    int next = openat(at, part.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    int error = errno;
    close(at);
    if (next < 0) throw Problem{"The directory of \"" + path + "\" cannot be entered", error};
    at = next;
  }
  if (at < 0) throw Problem{"The root cannot be entered", errno};
  return at;
}

void writeFile(const std::string& path, mode_t mode, const std::string& content) {
  std::string file = path.substr(path.rfind('/') + 1);
  if (path.empty() || path[0] != '/' || file.empty() || file == "." || file == ".." || path.find('\0') != std::string::npos ||
      path.find("/../") != std::string::npos) {
    throw Problem{"The path \"" + path + "\" is not an absolute path of a file", EINVAL};
  }
  int parent = openParent(path);
  std::string temporary = ".lockstep-new";
  unlinkat(parent, temporary.c_str(), 0);
  int fd = openat(parent, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  bool ok = fd >= 0 && protocol::writeAll(fd, content.data(), content.size()) && fchown(fd, 0, 0) == 0 && fchmod(fd, mode) == 0 &&
            renameat(parent, temporary.c_str(), parent, file.c_str()) == 0;
  int error = errno;
  if (!ok) unlinkat(parent, temporary.c_str(), 0);
  if (fd >= 0) close(fd);
  close(parent);
  if (!ok) throw Problem{"The file \"" + path + "\" cannot be written", error};
}

}  // namespace

[[noreturn]] void runWrite(int socket, const protocol::Message& request) {
  resetProcess(socket);
  signal(SIGPIPE, SIG_IGN);
  const auto& fields = request.fields;
  try {
    if (chdir(fields[0].c_str()) != 0 || chroot(".") != 0 || chdir("/") != 0) throw Problem{"The root file system \"" + fields[0] + "\" cannot be entered", errno};
    for (size_t i = 1; i + 2 < fields.size(); i += 3)
      writeFile(fields[i], static_cast<mode_t>(strtoul(fields[i + 1].c_str(), nullptr, 8)) & 07777, fields[i + 2]);
    reply(socket, request.id, protocol::kDone, {});
  } catch (const Problem& problem) {
    replyErrno(socket, request.id, problem.error == ENOSPC || problem.error == EDQUOT ? "DISK_FULL" : "FILE_FAILED", problem.what, problem.error);
  }
  _exit(0);
}
