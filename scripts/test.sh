#!/bin/sh
# All tests that this machine allows: unit, native and host tests as root, the unit tests alone otherwise. Prints the reasons of skipped
# tests, and last of all one line with the counts. Options and file names are passed on: scripts/test.sh [FILE...]
set -u
cd "$(dirname "$0")/.."
sh scripts/setup.sh test || exit 1
PATH="$PWD/node_modules/.bin:$PATH"
export PATH

results=$(mktemp -d) || exit 1
trap 'rm -rf "$results"' EXIT
crashed=0

# part NAME GLOB [OPTION...]
part() {
  name=$1
  glob=$2
  shift 2
  echo "== $name tests"
  node --test --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination="$results/$name.tap" "$@" "$glob"
  code=$?
  # A run that failed without a failed test (it was killed, a file did not load) is a failure too.
  if [ $code -ne 0 ] && ! grep -qE '^# (fail|cancelled) [1-9]' "$results/$name.tap"; then crashed=$((crashed + 1)); fi
}

part unit 'test/{unit,plans,conformance,api,cli,fuzz}/**/*.test.ts'
left_out=
if [ "$(id -u)" = 0 ]; then
  part native 'test/native/**/*.test.ts' --test-concurrency=1
  part host 'test/host/**/*.test.ts' --test-concurrency=1
else
  left_out='Left out without root: the native and the host tests (real containers, pools, networks).'
fi

count() { cat "$results"/*.tap | sed -n "s/^# $1 //p" | awk '{ sum += $1 } END { print sum + 0 }'; }

skips=$(sed -n 's/^ *ok [0-9]* - \(.*\) # SKIP *\(.*\)$/  \1: \2/p' "$results"/*.tap)
[ -z "$skips" ] || printf 'Skipped:\n%s\n' "$skips"
[ -z "$left_out" ] || echo "$left_out"
failed=$(($(count fail) + $(count cancelled) + crashed))
echo "$(count pass) passed, $failed failed, $(($(count skipped) + $(count todo))) skipped"
[ "$failed" = 0 ]
