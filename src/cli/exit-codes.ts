// What the client's exit code says. Part of the outer contract.

export const EXIT = {
  done: 0,
  error: 1,
  /** `plan`, `diff`: there are changes. */
  changes: 2,
  timedOut: 3,
  /** The command line is wrong (EX_USAGE of sysexits.h). */
  usage: 64,
} as const;
