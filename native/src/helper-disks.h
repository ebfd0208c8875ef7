// Directories and files of the host in an unprivileged container. liblxc mounts them inside, in a mount namespace that belongs to the
// container's user namespace, and three things are not as they are meant to be then:
//  - its root has CAP_SYS_ADMIN over its own mounts and may take a read-only flag off. The kernel locks the flags a mount has when its namespace
//    is copied for another user namespace (mount_namespaces(7); lock_mnt_tree in fs/namespace.c), and at no other time;
//  - a directory that something is mounted in cannot be bound without that: it would show what is under there (has_locked_children);
//  - its root must be able to pass to the source on the host, though it gets no more than the source itself.
// So they are mounted outside first: for a start in a mount namespace of the monitor's own, from which liblxc clones the container's; a read-only
// one for a running container in a namespace that is made for nothing else and copied at once. Either ends with its process: nothing on
// the host has to be removed, however that ends. LXD keeps such mounts on the host, below its devices directory.
#pragma once
#include <string>
#include <vector>

struct lxc_container;

/** For one start of a container: made before, left after its end. */
class HostDisks {
 public:
  /** From here on the process may be in a mount namespace of its own. */
  HostDisks(struct lxc_container* c, const std::string& directory);
  ~HostDisks() { leave(); }
  HostDisks(const HostDisks&) = delete;
  HostDisks& operator=(const HostDisks&) = delete;
  /** Why the container must not be started; empty when all is well. */
  const std::string& problem() const { return problem_; }
  /** Back to the host's mount namespace, where what is mounted by then is seen, and to the configuration as it was. Once more is fine. */
  void leave();

 private:
  std::string prepare();
  std::string takeFromPlace();

  struct lxc_container* container_;
  std::string place_, problem_;
  std::vector<std::string> entries_;
  int outside_ = -1;
};

/**
 * A copy of a detached tree whose flags the container's root cannot change. -1 and errno. This process has entered the container's user
 * namespace then, and is in a mount namespace where nothing but that copy is of use.
 */
int lockedCopy(int tree, bool directory, int init);
