// What a source yields: all its manifest files as text at one revision.

export interface SourceFile {
  /** As people know it, for problems: relative to the caller or absolute. */
  readonly path: string;
  /** Undefined when it could not be read: the snapshot is then not complete, and nothing is deleted because of it. */
  readonly text: string | undefined;
  readonly error?: string;
}

export interface Snapshot {
  readonly source: string;
  /** sha256 of sorted paths and contents for a directory; a commit id for git. */
  readonly revision: string;
  readonly files: readonly SourceFile[];
  /** Every file was listed and read. Deletes are planned only from a complete snapshot. */
  readonly complete: boolean;
  /** A stored source (objects made through the API): its deletes are by name and need neither settling nor a budget. */
  readonly stored?: boolean;
  /** Why this is not what the source has now, for people: the remote is away, or what it has was refused. This is the last good revision. */
  readonly outdated?: string;
  /** Who signed this revision, by the pinned keys; undefined where no signature was asked for. */
  readonly signer?: string;
  /** Epoch ms since when it is unchanged. */
  readonly since: number;
}

export interface Source {
  readonly name: string;
  /** What it reads, for people: path or URL. */
  readonly location: string;
  /** Objects made through the API: they are put in and taken out by name. */
  readonly stored?: true;
  /** Reads now. Rejects with SOURCE_UNREADABLE when nothing at all can be said. */
  read(signal: AbortSignal): Promise<Snapshot>;
  /** Calls `changed` when a new read may give something new; only a hint. Returns once watching. */
  watch(changed: () => void): Promise<void>;
  /** Looks now at what is otherwise looked at from time to time (a remote), so that the next read is fresh. Bounded in time; never rejects. */
  refresh?(signal: AbortSignal): Promise<void>;
  /** Somebody says that the remote has moved: look soon. Returns at once; many calls are one look. */
  poke?(): void;
  /** Epoch ms when what it reads was last found to be in order, where that is something else than the last read. */
  readonly checkedAt?: number | undefined;
  close(): Promise<void>;
}
