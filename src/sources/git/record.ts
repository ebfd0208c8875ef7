// What is remembered of a git source between two starts: the last good commit and what it was chosen as. One small file per source beside the
// mirrors; deleting it makes the source begin anew, without a history to compare with.
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isErrno } from '../../core/errors.ts';

export interface GoodRecord {
  /** The URL and ref it was chosen by: a source that is told to follow something else has no history there. */
  readonly url: string;
  readonly selector: string;
  /** The branch or tag, by full name; null for a commit by its id. */
  readonly ref: string | null;
  readonly commit: string;
  /** What the ref held: the commit, or an annotated tag. */
  readonly id: string;
  /** Epoch ms when this commit was first seen. */
  readonly since: number;
}

export function recordFile(stateDir: string, source: string): string {
  return join(stateDir, 'git', 'sources', `${source}.json`);
}

/** Undefined when there is none, or none that can be understood (a power cut): the next good look writes a new one. */
export async function readRecord(file: string): Promise<GoodRecord | undefined> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
  return isRecord(value) ? value : undefined;
}

export async function writeRecord(file: string, record: GoodRecord): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const next = `${file}.new`;
  const handle = await open(next, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(record, undefined, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(next, file);
}

function isRecord(value: unknown): value is GoodRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { url, selector, ref, commit, id, since } = value as Record<string, unknown>;
  const texts = typeof url === 'string' && typeof selector === 'string' && (ref === null || typeof ref === 'string');
  return texts && isId(commit) && isId(id) && typeof since === 'number';
}

function isId(value: unknown): boolean {
  return typeof value === 'string' && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(value);
}
