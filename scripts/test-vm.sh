#!/bin/sh
# Runs the native, conformance and host tests in a virtual machine, through the command in $TESTBED; arguments name files to run instead.
# The command is called as
#   $TESTBED --project DIR --chroot-build BUILD COMMAND
# which runs BUILD in a copy of DIR on the machine's own system, then COMMAND inside the machine, and exits as COMMAND does.
set -eu
cd "$(dirname "$0")/.."
if [ -z "${TESTBED:-}" ]; then
  echo 'test:vm is skipped: TESTBED names no test bed command.'
  exit 0
fi
files=${*:-"test/native/**/*.test.ts test/conformance/**/*.test.ts test/host/**/*.test.ts"}
# The objects of this machine are of another liblxc: everything is built anew there.
# Unquoted: options for the test bed may stand behind the command, such as a time limit.
# shellcheck disable=SC2086
exec $TESTBED --project "$PWD" --chroot-build 'make -s -C native clean && make -s -C native -j2' \
  "uname -srm; lxc-info --version; stat -fc 'cgroups: %T' /sys/fs/cgroup; LOCKSTEP_TEST_SLOW=10 node --test --test-concurrency=1 $(printf "'%s' " $files)"
