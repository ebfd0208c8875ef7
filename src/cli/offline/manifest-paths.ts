// The manifests behind the paths of a command line: files, directories (read as a source reads them) and standard input.
import { open, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { toAppError } from '../../core/errors.ts';
import type { ManifestFile } from '../../schemas/parse.ts';
import type { Problem } from '../../schemas/problem.ts';
import { type ReadCache, walk } from '../../sources/directory-walk.ts';
import { DEFAULT_LIMITS } from '../../sources/manifest-file.ts';

export interface ReadManifests {
  readonly files: readonly ManifestFile[];
  /** What could not be read. */
  readonly problems: readonly Problem[];
}

/** Name of the source that offline commands give to what they read. */
export const SOURCE = 'offline';
const STDIN_NAME = '<stdin>';

/** Reads all paths; `-` is standard input. A file that several paths lead to is read once. Never rejects. */
export async function readManifestPaths(paths: readonly string[], stdin: AsyncIterable<Uint8Array | string>): Promise<ReadManifests> {
  const files = new Map<string, ManifestFile>();
  const problems: Problem[] = [];
  for (const path of paths) {
    try {
      if (path === '-') files.set('-', { path: STDIN_NAME, text: await readStream(stdin), source: SOURCE });
      else if ((await stat(path)).isDirectory()) await readDirectory(path, files, problems);
      else files.set(await realpath(path), { path, text: await readOne(path), source: SOURCE });
    } catch (error) {
      problems.push(unreadable(path === '-' ? STDIN_NAME : path, reasonOf(error)));
    }
  }
  return { files: [...files.values()], problems };
}

async function readDirectory(root: string, files: Map<string, ManifestFile>, problems: Problem[]): Promise<void> {
  const cache: ReadCache = new Map();
  const realRoot = await realpath(root);
  for (const { path, text, error } of await walk(root, DEFAULT_LIMITS, cache, new AbortController().signal)) {
    const shown = join(root, path);
    if (text === undefined) problems.push(unreadable(shown, error ?? 'it cannot be read'));
    else files.set(join(realRoot, path), { path: shown, text, source: SOURCE });
  }
}

async function readOne(path: string): Promise<string> {
  const handle = await open(path, 'r');
  try {
    return await readStream(handle.createReadStream({ autoClose: false }));
  } finally {
    await handle.close();
  }
}

/** At most the size a manifest file may have; what is longer is refused without reading it all. */
async function readStream(stream: AsyncIterable<Uint8Array | string>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk as Uint8Array);
    length += bytes.length;
    if (length > DEFAULT_LIMITS.fileBytes) throw new Error(`it is larger than ${DEFAULT_LIMITS.fileBytes} bytes`);
    chunks.push(bytes);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new Error('it is not UTF-8 text');
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && 'code' in error) {
    if (error.code === 'ENOENT') return 'there is no such file or directory';
    if (error.code === 'EACCES' || error.code === 'EPERM') return 'permission denied';
  }
  return error instanceof Error ? error.message : toAppError(error).message;
}

export function unreadable(file: string, because: string): Problem {
  const position = { file, line: 1, column: 1, endLine: 1, endColumn: 1 };
  return { ...position, severity: 'error', rule: 'unreadable-file', field: '', message: `Cannot be read: ${because}.` };
}
