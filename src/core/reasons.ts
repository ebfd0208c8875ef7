// Every reason a condition can have, besides the error codes (errors.ts), with what it means. A reason that is not here does not compile;
// docs/reference/conditions.md is made from this table.

interface ReasonEntry {
  /** Conditions it is given for. */
  readonly of: readonly ('Ready' | 'Reconciling' | 'Stalled' | 'Drifted')[];
  /** Full sentences, for whoever meets it at night: what it means and what to do. */
  readonly text: string;
}

export const REASONS = {
  // Ready: nothing is left to do
  Running: { of: ['Ready'], text: 'The instance runs, as declared.' },
  Stopped: { of: ['Ready'], text: 'The instance is stopped: as declared when Ready is True; otherwise it will be started.' },
  Frozen: { of: ['Ready'], text: 'The instance is frozen: as declared when Ready is True; otherwise it will be thawed.' },
  Starting: { of: ['Ready'], text: 'The instance is coming up.' },
  Stopping: { of: ['Ready'], text: 'The instance is going down.' },
  Active: { of: ['Ready'], text: 'The network or storage pool is there and in use.' },
  Available: { of: ['Ready'], text: 'The image is stored on this host.' },
  Resolved: { of: ['Ready'], text: 'The profile could be read; it shows in the instances that use it.' },
  // Ready with a remark
  FirewallConflict: {
    of: ['Ready'],
    text: "Another firewall rule of the host drops this network's traffic. The message has the command that mends it.",
  },
  ImageOutdated: { of: ['Ready'], text: 'The instance was made from an older version of its image and goes on with that.' },
  LimitsNotEnforced: { of: ['Ready'], text: 'The host lacks the cgroup controllers that some limits need.' },
  SizeNotEnforced: { of: ['Ready'], text: 'The pool does not limit sizes, so the declared one is not enforced.' },
  DeviceLeftOut: { of: ['Ready'], text: 'An optional device is not on the host (`required: false`), so the instance runs without it.' },
  DeviceAtNextStart: { of: ['Ready'], text: 'A device that was missing is there now; the instance gets it at its next start.' },
  // Ready is False although nothing is planned
  Absent: { of: ['Ready'], text: 'It is not there, and nothing is planned for it.' },
  Outdated: { of: ['Ready'], text: 'The image was made from another source than is declared now.' },
  StoppedByGuest: { of: ['Ready'], text: 'The instance was shut down from inside or ended, and its restart policy leaves it stopped.' },
  HeldAfterBoot: {
    of: ['Ready'],
    text: 'The host has booted and `boot.autostart` is false: the instance stays stopped until it is changed.',
  },
  ForeignContainer: { of: ['Ready'], text: 'A container of that name exists that is not ours. It is left alone; rename one of the two.' },
  RecreateNeedsConfirm: {
    of: ['Ready'],
    text: 'What is declared needs a new root volume, and that is not done unasked: `lockstep confirm` shows what would be done. It runs on as it is.',
  },
  RecreateNever: {
    of: ['Ready'],
    text: 'What is declared needs a new root volume, and `update.recreate` is `Never`. It stays as it is until its manifest is changed.',
  },
  RecreateWaits: {
    of: ['Ready'],
    text: 'A new root volume is to be made, and what that takes is not there yet: its image, or the pool of the present one. It runs on as it is.',
  },
  RestartNeeded: {
    of: ['Ready'],
    text: 'A part of what is declared takes a restart, and `update.restart` is `Manual`: `lockstep confirm` restarts it.',
  },
  BackingMissing: {
    of: ['Ready'],
    text: 'The file, device or directory that the pool lies on is not there. The pool is used again when it comes back.',
  },
  Foreign: { of: ['Ready'], text: 'What is in the place of the pool does not belong to it. Nothing is overwritten.' },
  Inactive: { of: ['Ready'], text: 'The pool is there and not in use yet.' },
  PoolInactive: { of: ['Ready'], text: 'The pool that holds the root volume of the instance is not in use.' },
  Immutable: { of: ['Ready'], text: 'What is declared cannot be made of the pool that is there.' },
  CannotShrink: { of: ['Ready'], text: 'The pool is larger than declared, and pools only grow.' },
  DeviceMissing: { of: ['Ready'], text: 'A device that the instance needs is not on the host.' },
  // at work
  Reconciling: { of: ['Ready'], text: 'Changes are being carried out, or are about to be.' },
  ChangesPlanned: { of: ['Reconciling'], text: 'There are changes to carry out, now or as soon as what they wait for is there.' },
  UpToDate: { of: ['Reconciling'], text: 'The last look planned nothing.' },
  Working: { of: ['Stalled'], text: 'Nothing keeps it from going on by itself.' },
  Deleting: { of: ['Ready'], text: 'It is no longer declared and is being deleted, or will be as soon as that may be.' },
  KeptForUndelete: { of: ['Ready'], text: 'It is deleted; its data is kept until it can no longer be brought back (`lockstep undelete`).' },
  // waiting
  WaitingForNeeds: { of: ['Ready'], text: 'Something that it needs is not there yet. `lockstep why` follows the chain to its end.' },
  WaitingForTurn: {
    of: ['Ready'],
    text: 'One revision takes down only so many instances at a time (`update.maxUnavailable`), each Ready before the next. It runs on as it is.',
  },
  TakingEffect: { of: ['Ready'], text: 'A change was begun and takes its time: a shutdown, for example. There is a time limit.' },
  RestartBackOff: { of: ['Ready'], text: 'It ended several times in a row, so it is started later and later (up to a minute).' },
  RetryBackOff: { of: ['Ready'], text: 'The last change failed and is tried again by itself; the error and the time are in the status.' },
  HostShutdown: {
    of: ['Ready'],
    text: 'The host is being shut down: nothing is changed before it has booted again (or `lockstep host-shutdown --cancel`).',
  },
  Waiting: { of: ['Ready'], text: 'Its changes may not start yet; the message says what for.' },
  // drift
  AsDeclared: { of: ['Drifted'], text: 'Nothing was found changed on the host since the daemon started.' },
  Repaired: { of: ['Drifted'], text: 'Somebody changed it on the host, and it was put right; the message says what, and when.' },
  Repairing: { of: ['Drifted'], text: 'Somebody changed it on the host; it is being put right.' },
  ReportOnly: {
    of: ['Drifted'],
    text: "Somebody changed it on the host, and `drift: report` (its own, its source's or the daemon's) leaves it so. The next change of its manifest puts it right.",
  },
  Fight: {
    of: ['Ready', 'Stalled', 'Drifted'],
    text: 'Something else keeps changing a field back: after three repairs in ten minutes it is left as it is for ten minutes. Find the other writer; a change of the manifest, or `lockstep sync OBJECT`, begins anew.',
  },
  // deletion
  DeletionWaits: { of: ['Stalled'], text: 'It is no longer declared, and something keeps it from being deleted; the message says what.' },
  SourceIncomplete: { of: ['Ready'], text: 'Its source could not be read completely, and nothing is deleted on an incomplete reading.' },
  SourceSettling: { of: ['Ready'], text: 'Its source changed a moment ago; nothing is deleted before it was still for a second.' },
  Protected: {
    of: ['Ready'],
    text: 'It is protected against deletion. Declare it with the protection off, apply that, and remove it then.',
  },
  NeedsConfirmation: { of: ['Ready'], text: 'More would be deleted than may be without asking. `lockstep confirm` shows the list.' },
  WaitingForUsers: { of: ['Ready'], text: 'Other objects still use it; it is deleted after them.' },
  // manifests
  ManifestInvalid: {
    of: ['Ready', 'Stalled'],
    text: 'Its manifest is broken at the place the message names. What was last valid stays in force; what never was valid is left alone.',
  },
  HostUnreadable: { of: ['Ready'], text: 'Its state on the host cannot be told, so nothing is changed. The message has the reason.' },
} as const satisfies Record<string, ReasonEntry>;

export type Reason = keyof typeof REASONS;

/** Rules that keep planned changes from starting. */
export type HoldRule = Extract<
  Reason,
  | 'WaitingForNeeds'
  | 'TakingEffect'
  | 'WaitingForTurn'
  | 'RestartBackOff'
  | 'RetryBackOff'
  | 'HostShutdown'
  | 'SourceIncomplete'
  | 'SourceSettling'
  | 'Protected'
  | 'NeedsConfirmation'
  | 'WaitingForUsers'
  | 'RecreateNeedsConfirm'
  | 'RecreateWaits'
  | 'RestartNeeded'
>;
