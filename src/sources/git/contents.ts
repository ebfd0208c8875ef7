// The manifests of one commit, read from the mirror's objects: nothing is checked out, no file of the repository's ever lies on the disk.
import { AppError } from '../../core/errors.ts';
import { decodeText, MAX_IGNORE_BYTES, type WalkLimits } from '../manifest-file.ts';
import type { SourceFile } from '../snapshot.ts';
import { GitFailed } from './command.ts';
import { MirrorDamaged } from './failure.ts';
import type { Mirror } from './mirror.ts';
import { ignoreFiles, manifestsIn, parseTree } from './tree.ts';

export interface ReadOptions {
  readonly source: string;
  readonly commit: string;
  readonly path: string;
  readonly limits: WalkLimits;
  /** Texts by object id from the last reading: an unchanged file is not read again. Replaced by this reading's. */
  readonly cache: Map<string, string>;
  readonly signal: AbortSignal;
}

const BATCH_FILES = 2000;
const BATCH_BYTES = 16 * 1024 * 1024;
const TREE_BYTES = 128 * 1024 * 1024;

/** What is read from: a mirror, or a repository on this machine. */
export type ObjectReader = Pick<Mirror, 'read'>;

/** Rejects with SOURCE_UNREADABLE when the commit has no such directory, with MirrorDamaged when the mirror is broken. */
export async function readManifests(mirror: ObjectReader, options: ReadOptions): Promise<SourceFile[]> {
  const { signal, limits, cache } = options;
  const tree = await treeOf(mirror, options);
  const listed = await mirror.read(['ls-tree', '-r', '-z', '-l', '--full-tree', tree], signal, { maxOutputBytes: TREE_BYTES });
  const entries = parseTree(listed.stdout);

  const ignore = ignoreFiles(entries);
  const usable = ignore.filter((entry) => entry.kind === 'file' && entry.sizeBytes <= MAX_IGNORE_BYTES);
  const ignoreBlobs = await readBlobs(mirror, usable, signal);
  const ignoreTexts = new Map(ignore.map((entry) => [entry.path, textOf(ignoreBlobs.get(entry.id)).text]));
  const manifests = manifestsIn(entries, ignoreTexts, limits);

  const wanted = manifests.filter((one) => one.error === undefined && !cache.has(one.id));
  const blobs = await readBlobs(mirror, wanted, signal);
  const texts = new Map<string, string>();
  const files = manifests.map((one): SourceFile => {
    const shown = `${options.source}:${options.path === '' ? '' : `${options.path}/`}${one.path}`;
    const known = cache.get(one.id);
    const { text, error } =
      one.error !== undefined ? { text: undefined, error: one.error } : known !== undefined ? { text: known } : textOf(blobs.get(one.id));
    if (text === undefined) return { path: shown, text, error: `"${shown}" ${error}` };
    texts.set(one.id, text);
    return { path: shown, text };
  });
  cache.clear();
  for (const [id, text] of texts) cache.set(id, text);
  return files;
}

async function treeOf(mirror: ObjectReader, { source, commit, path, signal }: ReadOptions): Promise<string> {
  if (path === '') return `${commit}^{tree}`;
  try {
    const id = (await mirror.read(['rev-parse', '--verify', '--end-of-options', `${commit}:${path}`], signal)).stdout.toString().trim();
    const type = (await mirror.read(['cat-file', '-t', id], signal)).stdout.toString().trim();
    if (type === 'tree') return id;
  } catch (error) {
    if (!(error instanceof GitFailed)) throw error;
  }
  const message = `The repository of source "${source}" has no directory "${path}" at ${commit.slice(0, 12)}.`;
  const hint = 'Correct the path in the source, or put the directory back.';
  throw new AppError('SOURCE_UNREADABLE', { source, path, commit }, { message, hint });
}

interface Blob {
  readonly id: string;
  readonly sizeBytes: number;
}

async function readBlobs(mirror: ObjectReader, wanted: readonly Blob[], signal: AbortSignal): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  const unique = [...new Map(wanted.map((one) => [one.id, one])).values()];
  for (let at = 0; at < unique.length;) {
    const batch: Blob[] = [];
    for (let bytes = 0; at < unique.length && batch.length < BATCH_FILES && bytes < BATCH_BYTES; at++) {
      batch.push(unique[at]!);
      bytes += unique[at]!.sizeBytes;
    }
    const size = batch.reduce((sum, one) => sum + one.sizeBytes + 128, 0);
    const input = `${batch.map((one) => one.id).join('\n')}\n`;
    const { stdout } = await mirror.read(['cat-file', '--batch'], signal, { input, maxOutputBytes: size });
    parseBatch(stdout, found);
  }
  const lost = unique.find((one) => found.get(one.id)?.length !== one.sizeBytes);
  if (lost !== undefined) throw new MirrorDamaged(`The git mirror has lost the object ${lost.id}.`);
  return found;
}

/** `ID TYPE SIZE<newline>CONTENT<newline>`, or `ID missing<newline>`. */
function parseBatch(bytes: Buffer, into: Map<string, Buffer>): void {
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(10, at);
    if (end < 0) return;
    const [id = '', type, size] = bytes.toString('latin1', at, end).split(' ');
    at = end + 1;
    if (type !== 'blob') continue;
    into.set(id, bytes.subarray(at, at + Number(size)));
    at += Number(size) + 1;
  }
}

function textOf(bytes: Buffer | undefined): { text: string | undefined; error?: string } {
  if (bytes === undefined) return { text: undefined, error: 'cannot be read' };
  try {
    return { text: decodeText(bytes) };
  } catch (error) {
    return { text: undefined, error: error instanceof Error ? error.message : 'cannot be read' };
  }
}
