#!/bin/sh
# Runs the native, conformance and host tests in a virtual machine, through the command in $TESTBED. Arguments are for `node --test` there,
# instead: files, or options such as --test-name-pattern=WORDS before files. Variables LOCKSTEP_... are set there as they are here.
# The command is called as
#   $TESTBED --project DIR --chroot-build BUILD COMMAND
# which runs BUILD in a copy of DIR on the machine's own system, then COMMAND inside the machine, and exits as COMMAND does.
set -eu
cd "$(dirname "$0")/.."
if [ -z "${TESTBED:-}" ]; then
  echo 'test:vm is skipped: TESTBED names no test bed command.'
  exit 0
fi
[ $# -gt 0 ] || set -- 'test/native/**/*.test.ts' 'test/conformance/**/*.test.ts' 'test/host/**/*.test.ts'

# For the shell in the machine.
quote() {
  for word in "$@"; do
    printf " '%s'" "$(printf %s "$word" | sed "s/'/'\\\\''/g")"
  done
}
export LOCKSTEP_TEST_SLOW="${LOCKSTEP_TEST_SLOW:-10}"
variables=''
for name in $(env | sed -n 's/^\(LOCKSTEP_[A-Z_]*\)=.*/\1/p'); do
  eval "variables=\"\$variables\$(quote \"$name=\$$name\")\""
done

# The objects of this machine are of another liblxc: everything is built anew there.
# Unquoted: options for the test bed may stand behind the command, such as a time limit.
# shellcheck disable=SC2086
exec $TESTBED --project "$PWD" --chroot-build 'make -s -C native clean && make -s -C native -j2' \
  "uname -srm; lxc-info --version; stat -fc 'cgroups: %T' /sys/fs/cgroup; env$variables node --test --test-concurrency=1$(quote "$@")"
