// Does the file system at a path take id-mapped mounts? Asked of the kernel once per mounted file system and remembered.
import { stat } from 'node:fs/promises';
import { storageAddon } from './native.ts';

const answers = new Map<bigint, Promise<boolean>>();

/** Rejects when the question cannot be answered (the path is gone, for one). */
export async function takesIdmappedMounts(path: string): Promise<boolean> {
  const { dev } = await stat(path, { bigint: true });
  let answer = answers.get(dev);
  if (answer === undefined) {
    answer = storageAddon().takesIdmappedMounts(path);
    answers.set(dev, answer);
    answer.catch(() => answers.delete(dev));
  }
  return await answer;
}
