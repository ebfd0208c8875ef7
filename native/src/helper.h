// Parts of the helper: what its forked children do, and what they share.
#pragma once
#include <sys/types.h>

#include <string>

#include "protocol.h"

/** Sends a reply; a daemon that is gone is no error (the child notices by itself). Takes the descriptors over. */
void reply(int socket, uint32_t id, uint32_t op, std::vector<std::string> fields, std::vector<int> fds = {});

/** `kFailed` with the text of errno behind the message. */
void replyErrno(int socket, uint32_t id, const char* code, const std::string& message, int error, const std::string& log = "");

constexpr int kKeepNone = -1;
constexpr int kKeepAll = -2;

/** A forked child's surroundings: signals, limits, umask, out-of-memory score, stdio on /dev/null, no descriptor but `keep`. */
void resetProcess(int keep);

/** What ps and LXC's tools show for this process. */
void setProcessTitle(const std::string& title);

/** The last part of a log file, without the lines that every start has. */
std::string readLog(int directory, const char* path);

/** Becomes the container's monitor. Does not return. */
[[noreturn]] void runMonitor(const protocol::Message& request);

/** Runs a command in a container, replies, waits for its end, replies again. Does not return. */
[[noreturn]] void runExec(int socket, protocol::Message& request);

/** Puts a mount into a running container, or takes it out. Does not return. */
[[noreturn]] void runPlug(int socket, const protocol::Message& request);

/** Writes files below a root file system. Does not return. */
[[noreturn]] void runWrite(int socket, const protocol::Message& request);
