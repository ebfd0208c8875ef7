// The manifests behind the paths of a command line as they are in a revision of the git repository they lie in. Read from its objects: no
// work tree is touched, nothing is checked out, and no hook, filter or setting of the repository runs.
import { lstat, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { AppError, isErrno } from '../../core/errors.ts';
import type { ManifestFile } from '../../schemas/parse.ts';
import type { Problem } from '../../schemas/problem.ts';
import { git, GitFailed } from '../../sources/git/command.ts';
import { type ObjectReader, readManifests } from '../../sources/git/contents.ts';
import { decodeText, DEFAULT_LIMITS } from '../../sources/manifest-file.ts';
import { type ReadManifests, SOURCE, unreadable } from './manifest-paths.ts';

const TIMEOUT_MS = 60_000;

interface Repository {
  readonly gitDirectory: string;
  /** What the repository's paths are relative to. */
  readonly top: string;
}

/**
 * Throws VALUE_INVALID when there is no such revision or a path is in no repository. A path that the revision has not is a problem, unless
 * `absentIsEmpty`.
 */
export async function readRevision(paths: readonly string[], rev: string, absentIsEmpty: boolean): Promise<ReadManifests> {
  checkRevision(rev);
  const files = new Map<string, ManifestFile>();
  const problems: Problem[] = [];
  for (const path of paths) {
    const full = await realish(resolve(path));
    const repository = await repositoryOf(full, path);
    const reader = readerOf(repository);
    const commit = await commitOf(reader, rev, repository);
    const inner = relative(repository.top, full);
    const type = await typeOf(reader, commit, inner);
    if (type === 'tree') {
      for (const { rest, text, error } of await readTree(reader, commit, inner)) {
        const shown = join(path, rest);
        if (text === undefined) problems.push(unreadable(shown, error));
        else files.set(join(full, rest), { path: shown, text, source: SOURCE });
      }
    } else if (type === 'blob') {
      const blob = await reader.read(['cat-file', 'blob', `${commit}:${inner}`], deadline(), { maxOutputBytes: DEFAULT_LIMITS.fileBytes });
      try {
        files.set(full, { path, text: decodeText(blob.stdout), source: SOURCE });
      } catch {
        problems.push(unreadable(path, 'it is not UTF-8 text'));
      }
    } else if (!absentIsEmpty) {
      problems.push(unreadable(path, `there is no such file or directory in the revision "${rev}"`));
    }
  }
  return { files: [...files.values()], problems };
}

// oxlint-disable-next-line no-control-regex -- exactly those are refused
const NO_REVISION = /^-|[\u0000-\u0020\u007f:]|^$/;

/** What git might take for an option or for a file in a revision is refused by its form. */
function checkRevision(rev: string): void {
  if (!NO_REVISION.test(rev) && rev.length <= 256) return;
  const hint = 'A branch, a tag, a commit id, or HEAD~1.';
  throw new AppError('VALUE_INVALID', {}, { message: `${JSON.stringify(rev.slice(0, 60))} is not the name of a git revision.`, hint });
}

function deadline(): AbortSignal {
  return AbortSignal.timeout(TIMEOUT_MS);
}

function readerOf({ gitDirectory }: Repository): ObjectReader {
  return { read: async (argv, signal, more) => await git(argv, { directory: gitDirectory, signal, ...more }) };
}

async function commitOf(reader: ObjectReader, rev: string, { top }: Repository): Promise<string> {
  try {
    const { stdout } = await reader.read(['rev-parse', '--verify', '--quiet', '--end-of-options', `${rev}^{commit}`], deadline());
    return stdout.toString().trim();
  } catch (error) {
    if (!(error instanceof GitFailed)) throw error;
    const message = `There is no revision "${rev}" in the git repository "${top}".`;
    throw new AppError('VALUE_INVALID', {}, { message, hint: 'A shallow clone has only its last commits: fetch more of them.' });
  }
}

/** Undefined when the commit has nothing of this name. */
async function typeOf(reader: ObjectReader, commit: string, inner: string): Promise<string | undefined> {
  try {
    return (await reader.read(['cat-file', '-t', `${commit}:${inner}`], deadline())).stdout.toString().trim();
  } catch (error) {
    if (error instanceof GitFailed) return undefined;
    throw error;
  }
}

interface TreeFile {
  readonly rest: string;
  readonly text: string | undefined;
  readonly error: string;
}

async function readTree(reader: ObjectReader, commit: string, inner: string): Promise<TreeFile[]> {
  const before = `:${inner === '' ? '' : `${inner}/`}`;
  const options = { source: '', commit, path: inner, limits: DEFAULT_LIMITS, cache: new Map<string, string>(), signal: deadline() };
  return (await readManifests(reader, options)).map(({ path, text, error = '' }) => ({
    rest: path.slice(before.length),
    text,
    error: error.replace(`"${path}" `, 'it '),
  }));
}

/** With the symbolic links of what exists resolved; what comes after may be in the revision only. */
async function realish(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT') || dirname(path) === path) throw error;
    return join(await realish(dirname(path)), basename(path));
  }
}

/** The repository a path lies in: the nearest directory with `.git`, or a bare repository. */
async function repositoryOf(full: string, path: string): Promise<Repository> {
  for (let top = full; ; top = dirname(top)) {
    const gitDirectory = await gitDirectoryOf(top);
    if (gitDirectory !== undefined) return { gitDirectory, top };
    if (dirname(top) === top) break;
  }
  throw new AppError('VALUE_INVALID', { path }, { message: `"${path}" is not in a git repository.` });
}

async function gitDirectoryOf(directory: string): Promise<string | undefined> {
  const inside = join(directory, '.git');
  const info = await lstat(inside).catch(() => undefined);
  if (info?.isDirectory() === true) return inside;
  if (info?.isFile() === true && info.size < 8192) {
    // Of a linked work tree or a submodule (gitrepository-layout(5)).
    const link = /^gitdir: (.+)\n?$/.exec(await readFile(inside, 'utf8'));
    if (link?.[1] !== undefined) return resolve(directory, link[1]);
  }
  const parts = await Promise.all(
    ['HEAD', 'objects', 'refs'].map(async (name) => await stat(join(directory, name)).catch(() => undefined)),
  );
  return parts.every((part) => part !== undefined) && parts[1]?.isDirectory() === true ? directory : undefined;
}
