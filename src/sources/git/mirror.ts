// One bare repository per remote, shared by all sources that read it with the same credentials. It is asked what moved before anything is
// transferred, keeps what sources rely on from being collected, and is made anew when it is found to be broken.
//
// A new mirror begins with one commit; from there on it gets whole histories, down to that commit. What lies before it is fetched only when a
// question about descent cannot be answered without it.
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../../core/errors.ts';
import { hashOf, sha256Hex } from '../../core/hash.ts';
import { Access } from './access.ts';
import { git, GitFailed, type GitOutput } from './command.ts';
import { damageOr, MirrorDamaged } from './failure.ts';
import type { GitUrl } from './location.ts';
import type { GitAuth } from './options.ts';
import { type Choice, parseLsRemote, type RemoteRefs } from './remote-refs.ts';

const COLLECT_MS = 60_000;

export class Mirror {
  readonly directory: string;
  readonly url: GitUrl;
  readonly #access: Access;
  #queue: Promise<unknown> = Promise.resolve();
  #opened = false;
  #listing: { readonly at: number; readonly refs: RemoteRefs } | undefined;

  constructor(directory: string, url: GitUrl, access: Access) {
    this.directory = directory;
    this.url = url;
    this.#access = access;
  }

  /** Only one thing at a time is done with a mirror: what it is about to read must not be rebuilt by a neighbour. */
  async exclusive<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#queue;
    const done = Promise.withResolvers<void>();
    this.#queue = done.promise;
    await before;
    try {
      return await work();
    } finally {
      done.resolve();
    }
  }

  /** Makes the repository if it is not there, and removes what a killed git left behind. */
  async open(signal: AbortSignal): Promise<void> {
    if (this.#opened) return;
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    // Harmless when it exists: what is missing of it is made again. An empty template: no hooks.
    await this.read(['init', '--bare', '--quiet', '--initial-branch=lockstep'], signal);
    await this.#sweep({ locks: true });
    this.#opened = true;
  }

  /** What the remote has. Sources that look at the same time share one answer: one that was asked for after `notBefore` (performance.now). */
  async list(notBefore: number, signal: AbortSignal): Promise<RemoteRefs> {
    if (this.#listing !== undefined && this.#listing.at >= notBefore) return this.#listing.refs;
    const at = performance.now();
    const { stdout } = await this.#remote(['ls-remote', '--symref', '--', this.url.text, 'HEAD', 'refs/heads/*', 'refs/tags/*'], signal);
    const refs = parseLsRemote(stdout.toString('utf8'));
    this.#listing = { at, refs };
    return refs;
  }

  /** Transfers what was chosen; gives its object as it is now, which may be newer than what `list` said. */
  async fetch(choice: Choice, signal: AbortSignal): Promise<string> {
    const local = localRef(choice);
    try {
      await this.#fetchOne(`+${choice.ref ?? choice.id}:${local}`, signal);
    } catch (error) {
      // Not every server hands out a commit that is no branch's tip: take them all, and it is among them or not.
      if (choice.ref !== undefined || !(error instanceof GitFailed) || !/unadvertised|not our ref|no such remote ref/i.test(error.said))
        throw error;
      await this.#fetch(['+refs/heads/*:refs/lockstep/all/heads/*', '+refs/tags/*:refs/lockstep/all/tags/*', '--prune'], signal);
      return choice.id;
    } finally {
      await this.#sweep({ locks: false });
    }
    await this.#collect(signal);
    return (await this.read(['rev-parse', '--verify', '--end-of-options', local], signal)).stdout.toString().trim();
  }

  async #fetchOne(refspec: string, signal: AbortSignal): Promise<void> {
    // Only into an empty one: a depth would cut off what the others have.
    if (await this.#isEmpty(signal)) {
      try {
        return await this.#fetch([refspec, '--depth=1'], signal);
      } catch (error) {
        // A plain file server has no program that could cut a history off.
        if (!(error instanceof GitFailed) || !/does not support shallow/i.test(error.said)) throw error;
      }
    }
    await this.#fetch([refspec], signal);
  }

  async has(id: string, signal: AbortSignal): Promise<boolean> {
    return await this.#succeeds(['cat-file', '-e', `${id}^{commit}`], signal);
  }

  /** The commit behind a tag or commit; rejects when it is neither. */
  async commitOf(id: string, signal: AbortSignal): Promise<string> {
    return (await this.read(['rev-parse', '--verify', '--end-of-options', `${id}^{commit}`], signal)).stdout.toString().trim();
  }

  /** Does what was chosen descend from this commit? False also when that is known nowhere (any more). */
  async descends(choice: Choice, older: string, signal: AbortSignal): Promise<boolean> {
    // A yes is one for good: a commit's id covers its parents'.
    if (await this.#isAncestor(older, choice.commit, signal)) return true;
    if (!(await this.#mayHide(older, choice.commit, signal))) return false;
    await this.#fetch([`+${choice.ref ?? choice.id}:${localRef(choice)}`, '--unshallow'], signal);
    return await this.#isAncestor(older, choice.commit, signal);
  }

  async #isAncestor(older: string, newer: string, signal: AbortSignal): Promise<boolean> {
    return await this.#succeeds(['merge-base', '--is-ancestor', older, newer], signal);
  }

  async #isEmpty(signal: AbortSignal): Promise<boolean> {
    return (await this.read(['for-each-ref', '--count=1'], signal)).stdout.length === 0;
  }

  /** May it be in the part of a commit's history that was left out? Not in that of a commit it descends from itself: history has no circles. */
  async #mayHide(older: string, commit: string, signal: AbortSignal): Promise<boolean> {
    const cuts = await readFile(join(this.directory, 'shallow'), 'utf8').catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return '';
      throw error;
    });
    for (const cut of cuts.split('\n').filter(Boolean)) {
      if ((await this.#isAncestor(cut, commit, signal)) && !(await this.#isAncestor(cut, older, signal))) return true;
    }
    return false;
  }

  /** Keeps a source's last good commit, whatever becomes of the branch. */
  async keep(source: string, id: string, signal: AbortSignal): Promise<void> {
    await this.read(['update-ref', `refs/lockstep/good/${sha256Hex(source).slice(0, 16)}`, id], signal);
  }

  /** Something that needs no remote. */
  async read(argv: readonly string[], signal: AbortSignal, more: { input?: string; maxOutputBytes?: number } = {}): Promise<GitOutput> {
    try {
      return await git(argv, { directory: this.directory, signal, ...more });
    } catch (error) {
      throw damageOr(error, 'local');
    }
  }

  /** Throws the repository away; the next `open` makes a new one. */
  async discard(): Promise<void> {
    this.#opened = false;
    this.#listing = undefined;
    const aside = `${this.directory}.broken`;
    await rm(aside, { recursive: true, force: true });
    await rename(this.directory, aside).catch((error: unknown) => {
      if (!isErrno(error, 'ENOENT')) throw error;
    });
    await rm(aside, { recursive: true, force: true });
  }

  async #remote(argv: readonly string[], signal: AbortSignal): Promise<GitOutput> {
    try {
      return await this.#access.grant((grant) => git(argv, { directory: this.directory, signal, ...grant }));
    } catch (error) {
      throw damageOr(error, 'remote');
    }
  }

  async #fetch(refspecs: readonly string[], signal: AbortSignal): Promise<void> {
    const options = refspecs.filter((one) => one.startsWith('--'));
    const specs = refspecs.filter((one) => !one.startsWith('--'));
    const quiet = ['--no-tags', '--no-write-fetch-head', '--no-recurse-submodules', '--no-show-forced-updates', '--quiet'];
    await this.#remote(['fetch', ...quiet, ...options, '--', this.url.text, ...specs], signal);
  }

  /** Exit code 1 means no; so does an object that is not there. A broken repository is neither. */
  async #succeeds(argv: readonly string[], signal: AbortSignal): Promise<boolean> {
    try {
      await this.read(argv, signal);
      return true;
    } catch (error) {
      if (error instanceof GitFailed && (error.code === 1 || /not a valid (?:object|commit) name/i.test(error.said))) return false;
      throw error;
    }
  }

  /** Many small packs make reading slow. In the foreground: nothing of it outlives the daemon. Its failure costs nothing. */
  async #collect(signal: AbortSignal): Promise<void> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(COLLECT_MS)]);
    await this.read(['-c', 'gc.auto=6700', '-c', 'gc.autoDetach=false', 'gc', '--auto', '--quiet'], limited).catch((error: unknown) => {
      if (error instanceof MirrorDamaged) throw error;
    });
  }

  /** Half a transfer stays as tmp_pack_*, for two weeks if nobody removes it; a killed git leaves its locks. */
  async #sweep({ locks }: { locks: boolean }): Promise<void> {
    const packs = join(this.directory, 'objects', 'pack');
    for (const name of await names(packs)) if (name.startsWith('tmp_')) await rm(join(packs, name), { force: true });
    const objects = join(this.directory, 'objects');
    for (const name of await names(objects)) {
      if (/^(?:tmp_|incoming-)/.test(name)) await rm(join(objects, name), { recursive: true, force: true });
    }
    if (!locks) return;
    const lockFiles = (await readdir(this.directory, { recursive: true, encoding: 'utf8' })).filter((name) => name.endsWith('.lock'));
    for (const name of lockFiles) await rm(join(this.directory, name), { force: true });
  }
}

/** The mirrors of one daemon. */
export class Mirrors {
  readonly #stateDir: string;
  readonly #runDir: string;
  readonly #mirrors = new Map<string, Mirror>();

  constructor(stateDir: string, runDir: string) {
    this.#stateDir = stateDir;
    this.#runDir = runDir;
  }

  /** Other credentials, another mirror: what one source may see is not what another may. */
  of(url: GitUrl, auth: GitAuth): Mirror {
    const key = remoteKey(url, auth);
    let mirror = this.#mirrors.get(key);
    if (mirror === undefined) {
      const access = new Access(join(this.#runDir, 'git', key), url, auth);
      mirror = new Mirror(join(this.#stateDir, 'git', 'mirrors', `${key}.git`), url, access);
      this.#mirrors.set(key, mirror);
    }
    return mirror;
  }
}

function localRef({ ref, id }: Pick<Choice, 'ref' | 'id'>): string {
  return `refs/lockstep/fetched/${sha256Hex(ref ?? id).slice(0, 16)}`;
}

function remoteKey(url: GitUrl, auth: GitAuth): string {
  return hashOf({ url: url.text, auth }).slice(0, 24);
}

async function names(directory: string): Promise<string[]> {
  return await readdir(directory).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  });
}
