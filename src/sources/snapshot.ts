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
  /** Epoch ms since when it is unchanged. */
  readonly since: number;
}

export interface Source {
  readonly name: string;
  /** What it reads, for people: path or URL. */
  readonly location: string;
  /** Reads now. Rejects with SOURCE_UNREADABLE when nothing at all can be said. */
  read(signal: AbortSignal): Promise<Snapshot>;
  /** Calls `changed` when a new read may give something new; only a hint. Returns once watching. */
  watch(changed: () => void): Promise<void>;
  close(): Promise<void>;
}
