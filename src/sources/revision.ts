// The revision of a source that has none of its own: sha256 over its sorted paths and contents.
import { createHash } from 'node:crypto';
import type { SourceFile } from './snapshot.ts';

export function revisionOf(files: readonly SourceFile[]): string {
  const hash = createHash('sha256');
  for (const file of files.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))) {
    // Lengths in between: no two lists of files run together to the same bytes.
    const text = file.text ?? file.error ?? '';
    hash.update(`${file.text === undefined ? 'unread' : 'file'} ${Buffer.byteLength(file.path)} ${Buffer.byteLength(text)}\n`);
    hash.update(file.path).update(text);
  }
  return hash.digest('hex');
}

/** Keeps `since`: when the revision was first seen to be what it is. */
export class Steadiness {
  #revision: string | undefined;
  #since = 0;

  since(revision: string, nowMs: number): number {
    // A clock that was set back must not make an old snapshot look younger than now.
    if (revision !== this.#revision || nowMs < this.#since) {
      this.#revision = revision;
      this.#since = nowMs;
    }
    return this.#since;
  }
}
