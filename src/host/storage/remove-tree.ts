// Removes a directory tree that a container's root may have filled: deep, huge, with any file names and links.
import { mustRun } from '../run/run.ts';

const REMOVE_TIMEOUT_MS = 30 * 60_000;

/** Missing is fine. Links in it are removed, not followed; other file systems mounted in it are left alone and are an error. */
export async function removeTree(path: string, signal: AbortSignal): Promise<void> {
  // rm(1) walks with openat relative to directories it holds open (fts), at any depth, which node's recursive rm does not.
  await mustRun(['rm', '-rf', '--one-file-system', '--', path], { signal, timeoutMs: REMOVE_TIMEOUT_MS });
}
