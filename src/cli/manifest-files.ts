// Manifests that are named on the command line, read here and sent as text: the daemon may see another file system than the person does.
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { SourceFile } from '../api/types.ts';
import { DEFAULT_LIMITS, MovedUnderneath, walk } from '../sources/directory-walk.ts';
import { ClientError } from './errors.ts';

const TRIES = 5;

/** Files as they are, directories recursively as a source reads them, `-` for stdin. Throws when one cannot be read or there is none. */
export async function collectManifests(paths: readonly string[]): Promise<SourceFile[]> {
  const files = new Map<string, SourceFile>();
  for (const path of paths) {
    const found = path === '-' ? [{ path: '(stdin)', text: await readStdin() }] : await collect(path);
    for (const file of found) files.set(file.path, file);
  }
  if (files.size === 0) {
    throw new ClientError(`There are no manifests in ${paths.map((path) => `"${path}"`).join(', ')}.`, {
      hint: 'Manifests are files named *.yaml, *.yml or *.json; dot files are skipped.',
    });
  }
  return [...files.values()];
}

async function collect(path: string): Promise<SourceFile[]> {
  try {
    const info = await stat(path);
    if (!info.isDirectory()) return [{ path, text: await readText(path) }];
    const files = await walkSteady(path);
    const unreadable = files.filter((file) => file.text === undefined);
    if (unreadable.length > 0) {
      throw new ClientError(`Not all manifests below "${path}" can be read.`, {
        causes: unreadable.slice(0, 10).map((file) => `"${file.path}" ${file.error ?? 'cannot be read'}`),
      });
    }
    return files.flatMap((file) => (file.text === undefined ? [] : [{ path: join(path, file.path), text: file.text }]));
  } catch (error) {
    if (error instanceof ClientError) throw error;
    throw new ClientError(`"${path}" cannot be read.`, { causes: [(error as Error).message], cause: error });
  }
}

async function walkSteady(path: string) {
  for (let tries = 1; ; tries++) {
    try {
      return await walk(path, DEFAULT_LIMITS, new Map(), new AbortController().signal);
    } catch (error) {
      if (!(error instanceof MovedUnderneath) || tries === TRIES) throw error;
    }
  }
}

async function readText(path: string): Promise<string> {
  return decode(await readFile(path), path);
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk);
  return decode(Buffer.concat(chunks), '(stdin)');
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new ClientError(`"${path}" is not UTF-8 text.`, { cause: error });
  }
}
