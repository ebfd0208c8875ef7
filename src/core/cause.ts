// Why an object is looked at: the event behind it, as `lockstep why` and the history tell it. Like events, a cause is for people; what is
// done is decided by looking.

/** Every event that makes the daemon look, with the sentence a person reads. `ABOUT` stands for what it was about. */
export const CAUSES = {
  DaemonStarted: 'the daemon started',
  SourceChanged: 'ABOUT changed what it declares',
  InstanceChanged: 'container ABOUT started, stopped or ended',
  LinkChanged: 'network link ABOUT changed',
  FirewallChanged: "the host's firewall rules changed (ABOUT)",
  FilesChanged: 'files of ABOUT were written, moved or removed',
  MountsChanged: 'a pool was mounted, unmounted or mounted anew',
  CgroupChanged: 'a limit or the freezer of container ABOUT was written to',
  EventsLost: 'events were lost (ABOUT)',
  DhcpEnded: 'a DHCP and DNS server ended',
  RetryDue: 'the next try after an error was due',
  TimerDue: 'a time limit was over (ABOUT)',
  NeedReady: 'ABOUT, which it needs, became ready',
  NeedLost: 'ABOUT, which it needs, is no longer ready',
  TurnCame: 'ABOUT is back after the same change, so it may be its turn',
  UserDeleted: 'ABOUT, which used it, was deleted',
  ChangeEnded: 'a change of its own had ended',
  Sync: 'a sync was asked for (ABOUT)',
  Resync: 'it was time for the regular look at everything',
  Confirmed: 'ABOUT confirmed what it waited for',
  Purged: 'ABOUT ended tombstones in it',
  Undeleted: 'it was brought back from its tombstone',
  HostShutdown: 'the shutdown of the host began or was called off',
  Asked: 'a look was asked for',
} as const satisfies Record<string, string>;

export type CauseEvent = keyof typeof CAUSES;

export interface Cause {
  readonly event: CauseEvent;
  /** What it was about: a source and its revision, a link, another object. */
  readonly about?: string;
}

/** Of the causes of one look so many are kept: neither an event's cost nor memory grows with how many there are. */
export const KEPT_CAUSES = 4;

/** A cause with the time it was noticed (epoch ms). */
export interface TimedCause extends Cause {
  readonly at: number;
}

export function causeText({ event, about }: Cause): string {
  const text: string = CAUSES[event];
  return about === undefined ? text.replace(' (ABOUT)', '').replace('ABOUT', 'it') : text.replace('ABOUT', () => about);
}
