// What a command is given: the client, the output, and the common options.
import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { ApiClient } from './client.ts';
import type { ObjectStatus } from '../api/types.ts';
import { refKey } from '../core/ref.ts';
import { ClientError } from './errors.ts';
import { normalizeObject, shortRef } from './kind-words.ts';
import type { Output } from './output.ts';

export interface Context {
  readonly client: ApiClient;
  readonly output: Output;
  readonly project: string | undefined;
}

/** Runs a command's work with its context; the number is the exit code. */
export type Run = (work: (context: Context) => Promise<number>) => Promise<void>;

/** A command's file exports this: arguments, options and action. */
export type Define = (command: Command, run: Run) => void;

/** The one object a text means. Throws when there is none or more than one. */
export async function findObject(context: Context, text: string): Promise<ObjectStatus> {
  const query = { match: normalizeObject(text), ...(context.project === undefined ? {} : { project: context.project }) };
  const [found, ...others] = await context.client.objects(query);
  if (found === undefined) {
    throw new ClientError(`There is no object "${text}".`, { code: 'NOT_FOUND', hint: 'See "lockstep status" for what there is.' });
  }
  if (others.length > 0) {
    throw new ClientError(`"${text}" may mean ${[found, ...others].map((one) => shortRef(one.ref)).join(' or ')}.`, {
      hint: `Write it in full, for example ${refKey(found.ref)}.`,
    });
  }
  return found;
}

/** Directories the daemon reads that can be read here, too. Throws when there is none. */
export async function findLocalPaths({ client }: Context): Promise<string[]> {
  const { sources } = await client.status();
  const paths: string[] = [];
  for (const { location } of sources)
    if (location.startsWith('/') && (await stat(location).catch(() => undefined)) !== undefined) paths.push(location);
  if (paths.length > 0) return paths;
  throw new ClientError('None of the sources of the daemon is a directory of this machine.', {
    hint: 'Name the manifests: files or directories.',
  });
}
