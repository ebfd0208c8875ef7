// One reading of a source directory: every manifest's text, in a fixed order, within limits. What cannot be read is named with the reason
// instead of being left out, because a file that is missing from a snapshot means that its objects are to be deleted.
//
// The calls are synchronous, in slices: ten thousand small files take 0.1 s so, and 2 s with a promise for each call. What may hang for
// ever, a mount whose server is away, is found out before that, by asynchronous calls for the root.
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync, realpathSync, type Stats } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno } from '../core/errors.ts';
import { inSlices, type Sliced } from '../core/slices.ts';
import { type IgnoreRule, isIgnored, parseIgnore } from './ignore.ts';
import { decodeText, IGNORE_FILE, isManifestName, MAX_IGNORE_BYTES, type WalkLimits } from './manifest-file.ts';

export interface WalkedFile {
  /** Relative to the root, with `/`. */
  readonly path: string;
  readonly text: string | undefined;
  readonly error: string | undefined;
}

/** What is remembered between readings, so that an unchanged file is not read again. By relative path. */
export type ReadCache = Map<string, { readonly key: string; readonly text: string }>;

/** Thrown when something changed during the reading: read again. */
export class MovedUnderneath extends Error {}

/** A file changed this shortly before it was read may change again within the same time stamp: its text is not remembered. */
const RACY_MS = 2000;

/** Rejects with the errno of the root when the root itself cannot be listed, and with MovedUnderneath. */
export async function walk(root: string, limits: WalkLimits, cache: ReadCache, signal: AbortSignal): Promise<WalkedFile[]> {
  const realRoot = await realpath(root);
  const state: Walk = {
    root,
    realRoot,
    limits,
    cache,
    signal,
    files: [],
    bytes: 0,
    entries: 0,
    directories: new Set([realRoot]),
    seen: new Set(),
    unsteady: [],
  };
  await inSlices(walkDirectory(state, '', [], 0));
  await readUnsteady(state);
  for (const path of cache.keys()) if (!state.seen.has(path)) cache.delete(path);
  return state.files.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

interface Walk {
  readonly root: string;
  readonly realRoot: string;
  readonly limits: WalkLimits;
  readonly cache: ReadCache;
  readonly signal: AbortSignal;
  readonly files: WalkedFile[];
  /** Real paths already walked: a symlink to a parent does not go round for ever. */
  readonly directories: Set<string>;
  readonly seen: Set<string>;
  /** Files that changed while they were read. */
  readonly unsteady: { readonly path: string; readonly full: string }[];
  bytes: number;
  entries: number;
}

function* walkDirectory(state: Walk, relative: string, above: readonly IgnoreRule[], depth: number): Sliced<void> {
  state.signal.throwIfAborted();
  const names = list(state, relative);
  if (names === undefined) return;
  if (depth > state.limits.depth) {
    refuse(state, `${relative}/`, `lies deeper than ${state.limits.depth} directories`);
    return;
  }
  const rules = names.includes(IGNORE_FILE) ? ignoreRules(state, relative, above) : above;
  for (const name of names.filter((one) => !one.startsWith('.')).toSorted()) {
    const path = relative === '' ? name : `${relative}/${name}`;
    yield* visit(state, path, rules, depth);
    yield;
  }
}

/** Undefined when it cannot be listed, which was then noted; errors of the root itself are thrown. */
function list(state: Walk, relative: string): string[] | undefined {
  try {
    const names = readdirSync(join(state.root, relative));
    state.entries += names.length;
    // Far above the limit for manifests: this bounds trees full of other things.
    if (state.entries > state.limits.files * 20) {
      refuse(state, `${relative}/`, 'is part of a tree with too many entries');
      return undefined;
    }
    return names;
  } catch (error) {
    if (relative === '') throw error;
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) throw new MovedUnderneath();
    refuse(state, `${relative}/`, `cannot be listed: ${reason(error)}`);
    return undefined;
  }
}

function ignoreRules(state: Walk, relative: string, above: readonly IgnoreRule[]): readonly IgnoreRule[] {
  const path = relative === '' ? IGNORE_FILE : `${relative}/${IGNORE_FILE}`;
  try {
    const text = readWithin(join(state.root, path), MAX_IGNORE_BYTES);
    return [...above, ...parseIgnore(text.text, relative)];
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof MovedUnderneath) throw new MovedUnderneath();
    refuse(state, path, reason(error));
    return above;
  }
}

function* visit(state: Walk, path: string, rules: readonly IgnoreRule[], depth: number): Sliced<void> {
  const full = join(state.root, path);
  let info: Stats;
  let real = full;
  try {
    info = lstatSync(full);
    if (info.isSymbolicLink()) {
      real = realpathSync(full);
      if (!isInside(state.realRoot, real)) {
        if (!isIgnored(rules, path, false) && isManifestName(path)) refuse(state, path, 'is a symbolic link that leads out of the source');
        return;
      }
      info = lstatSync(real);
    }
  } catch (error) {
    couldNotStat(state, path, rules, full, error);
    return;
  }
  if (isIgnored(rules, path, info.isDirectory())) return;
  if (info.isDirectory()) {
    const resolved = orMoved(() => realpathSync(real));
    if (state.directories.has(resolved)) return;
    state.directories.add(resolved);
    yield* walkDirectory(state, path, rules, depth + 1);
  } else if (isManifestName(path)) {
    if (info.isFile()) readManifest(state, path, real, info);
    else refuse(state, path, 'is not a regular file');
  }
}

function isInside(root: string, path: string): boolean {
  return path === root || path.startsWith(root === '/' ? root : `${root}/`);
}

function couldNotStat(state: Walk, path: string, rules: readonly IgnoreRule[], full: string, error: unknown): void {
  if (isErrno(error, 'ENOENT')) {
    // Gone since the listing, or a link that leads nowhere? Only the second is still there.
    orMoved(() => lstatSync(full));
  }
  if (isIgnored(rules, path, false)) return;
  // A link that leads nowhere may have been a directory of manifests: what it is called does not tell.
  refuse(state, path, isErrno(error, 'ENOENT') ? 'is a symbolic link that leads nowhere' : reason(error));
}

function readManifest(state: Walk, path: string, full: string, info: Stats): void {
  state.seen.add(path);
  if (state.seen.size > state.limits.files) return refuse(state, path, `is one of more than ${state.limits.files} files`);
  const known = state.cache.get(path);
  if (known && known.key === identity(info)) return take(state, path, known.text, info.size);
  state.cache.delete(path);
  try {
    readFresh(state, path, full);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) throw new MovedUnderneath();
    if (error instanceof MovedUnderneath) state.unsteady.push({ path, full });
    else refuse(state, path, reason(error));
  }
}

function readFresh(state: Walk, path: string, full: string): void {
  const { text, stats } = readWithin(full, state.limits.fileBytes);
  if (Date.now() - Math.max(stats.ctimeMs, stats.mtimeMs) > RACY_MS) state.cache.set(path, { key: identity(stats), text });
  take(state, path, text, stats.size);
}

function take(state: Walk, path: string, text: string, bytes: number): void {
  state.bytes += bytes;
  if (state.bytes > state.limits.totalBytes) return refuse(state, path, `is beyond ${state.limits.totalBytes} bytes of manifests in all`);
  state.files.push({ path, text, error: undefined });
}

/** A file that is being written is read again a little later; one that always is hides no other file. */
async function readUnsteady(state: Walk): Promise<void> {
  let left = state.unsteady;
  for (let tries = 1; left.length > 0; tries++) {
    await sleep(20 * tries);
    left = left.filter(({ path, full }) => {
      try {
        readFresh(state, path, full);
      } catch (error) {
        if (isErrno(error, 'ENOENT')) throw new MovedUnderneath();
        if (error instanceof MovedUnderneath && tries < 3) return true;
        refuse(state, path, error instanceof MovedUnderneath ? 'kept changing while it was read' : reason(error));
      }
      return false;
    });
  }
}

function readWithin(full: string, limit: number): { text: string; stats: Stats } {
  // O_NONBLOCK: opening a named pipe that took the file's place must not wait for a writer. O_NOFOLLOW: links were resolved before.
  const file = openSync(full, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const before = fstatSync(file);
    if (!before.isFile()) throw new Error('is not a regular file');
    if (before.size > limit) throw new Error(`is larger than ${limit} bytes`);
    const buffer = Buffer.alloc(before.size + 1);
    let length = 0;
    for (;;) {
      const bytesRead = readSync(file, buffer, length, buffer.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
      if (length > before.size) throw new MovedUnderneath(); // it grew meanwhile: half of it is worse than later
    }
    const after = fstatSync(file);
    // Not ctime: a rename over the file changes that of the old one, whose content is still whole.
    if (length !== before.size || after.size !== before.size || after.mtimeMs !== before.mtimeMs) throw new MovedUnderneath();
    return { text: decodeText(buffer.subarray(0, length)), stats: after };
  } finally {
    closeSync(file);
  }
}

function identity(info: Stats): string {
  return `${info.dev}:${info.ino}:${info.size}:${info.mtimeMs}:${info.ctimeMs}`;
}

function refuse(state: Walk, path: string, error: string): void {
  state.files.push({ path, text: undefined, error });
}

/** What was there a moment ago is there still, or everything is read again. */
function orMoved<T>(look: () => T): T {
  try {
    return look();
  } catch (error) {
    throw isErrno(error, 'ENOENT') ? new MovedUnderneath() : error;
  }
}

function reason(error: unknown): string {
  if (isErrno(error, 'EACCES')) return 'may not be read (permission denied)';
  if (isErrno(error, 'ELOOP')) return 'is a symbolic link that goes in circles';
  return error instanceof Error ? error.message : 'cannot be read';
}
