// A git source of a large repository with a long history: 10,000 manifests, 100,000 commits that each change one of them. The first fetch with
// its first snapshot, what the mirror takes on disk, a look at a remote that has not moved (nothing may be transferred), and the next push.
// Beside it what one commit, a whole history, one without contents (`--filter=blob:none`) and one without trees (`--filter=tree:0`) cost git.
// node bench/git.ts [commits] [manifests]
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun } from '../src/host/run/run.ts';
import { parseLocation } from '../src/sources/git/location.ts';
import { Mirrors } from '../src/sources/git/mirror.ts';
import { gitOptions } from '../src/sources/git/options.ts';
import { GitSource } from '../src/sources/git/source.ts';
import { line, machine, verdict } from './machine.ts';

const COMMITS = Number(process.argv[2] ?? 100_000);
const MANIFESTS = Number(process.argv[3] ?? 10_000);
const NEVER = new AbortController().signal;
const LIMIT_MS = 10 * 60_000;

const path = (n: number): string => `hosts/h${n % 100}/m${n}.yaml`;

function manifest(n: number, revision: number): string {
  const config = `    limits.memory: ${64 + (revision % 512)}MiB\n    user.revision: "${revision}"`;
  return `apiVersion: lockstep/v1\nkind: Instance\nmetadata:\n  name: m${n}\nspec:\n  image: debian\n  profiles: [default]\n  config:\n${config}\n  devices:\n    root: { type: disk, path: /, pool: fast }\n`;
}

/** `git fast-import` takes what it is sent as fast as it can; the commit's place in the stream is its time. */
async function makeRemote(bare: string): Promise<void> {
  await mustRun(['git', 'init', '--quiet', '--bare', '--initial-branch=main', bare]);
  const importer = spawn('git', ['-C', bare, 'fast-import', '--quiet'], { stdio: ['pipe', 'ignore', 'inherit'] });
  const ended = new Promise<number | null>((resolve) => importer.once('close', resolve));
  const send = async (text: string): Promise<void> => {
    if (!importer.stdin.write(text)) await new Promise<void>((resolve) => importer.stdin.once('drain', resolve));
  };
  const change = (n: number, revision: number): string => {
    const text = manifest(n, revision);
    return `M 100644 inline ${path(n)}\ndata ${Buffer.byteLength(text)}\n${text}\n`;
  };
  for (let commit = 0; commit < COMMITS; commit++) {
    const changes =
      commit === 0 ? Array.from({ length: MANIFESTS }, (_, n) => change(n, 0)).join('') : change((commit * 7919) % MANIFESTS, commit);
    await send(`commit refs/heads/main\ncommitter T <t@example.com> ${1_600_000_000 + commit * 60} +0000\ndata 7\nchange\n${changes}`);
  }
  importer.stdin.end();
  assert.equal(await ended, 0, 'git fast-import ends well');
  // As a server keeps it.
  await mustRun(['git', '-C', bare, 'repack', '-a', '-d', '-q'], { timeoutMs: LIMIT_MS });
  for (const name of ['uploadpack.allowFilter', 'uploadpack.allowAnySHA1InWant'])
    await mustRun(['git', '-C', bare, 'config', name, 'true']);
}

async function push(bare: string, work: string, revision: number): Promise<void> {
  const text = manifest(1, revision);
  const importer = spawn('git', ['-C', bare, 'fast-import', '--quiet', '--force'], { stdio: ['pipe', 'ignore', 'inherit'], cwd: work });
  importer.stdin.end(
    `commit refs/heads/main\ncommitter T <t@example.com> ${1_700_000_000 + revision} +0000\ndata 4\nnext\nfrom refs/heads/main^0\n` +
      `M 100644 inline ${path(1)}\ndata ${Buffer.byteLength(text)}\n${text}\n`,
  );
  assert.equal(await new Promise((resolve) => importer.once('close', resolve)), 0);
}

function mebibytes(directory: string): number {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  return names.reduce((sum, name) => sum + lstatSync(join(directory, name)).blocks * 512, 0) / 2 ** 20;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

function packs(mirrors: string): string {
  const names = readdirSync(mirrors, { recursive: true, encoding: 'utf8' }).filter((name) => /objects\//.test(name));
  return names.toSorted().join('\n');
}

const root = mkdtempSync('/var/tmp/lockstep-bench-git-');
try {
  const bare = join(root, 'remote.git');
  const url = `file://${bare}`;
  const making = await timed(() => makeRemote(bare));
  console.log(`${COMMITS} commits, ${MANIFESTS} manifests; ${machine()}; made in ${Math.round(making / 1000)} s`);
  line('the remote itself', mebibytes(bare), 'MiB');

  const [state, run] = [join(root, 'state'), join(root, 'run')];
  for (const directory of [state, run]) mkdirSync(directory);
  const options = { ...gitOptions(parseLocation(url)), timeoutMs: LIMIT_MS, intervalMs: LIMIT_MS };
  const source = new GitSource('main', options, { mirrors: new Mirrors(state, run), stateDir: state, runDir: run, firstWaitMs: LIMIT_MS });
  const mirrors = join(state, 'git', 'mirrors');
  const first = await timed(async () => assert.equal((await source.read(NEVER)).files.length, MANIFESTS));
  line('first fetch and first snapshot', first, 'ms');
  const firstMiB = mebibytes(mirrors);
  line('the mirror after it', firstMiB, 'MiB');

  const before = packs(mirrors);
  const unmoved: number[] = [];
  for (let at = 0; at < 5; at++) unmoved.push(await timed(() => source.refresh(NEVER)));
  const same = packs(mirrors) === before;
  line('a look at a remote that has not moved (worst of 5)', Math.max(...unmoved), 'ms', 'nothing transferred');

  const moved: number[] = [];
  for (let at = 1; at <= 5; at++) {
    await push(bare, root, COMMITS + at);
    moved.push(await timed(() => source.refresh(NEVER)));
    const { files } = await source.read(NEVER);
    assert.equal(files.find((file) => file.path === `main:${path(1)}`)?.text, manifest(1, COMMITS + at));
  }
  line('the next push until its snapshot (worst of 5)', Math.max(...moved), 'ms');
  line('the mirror after five pushes', mebibytes(mirrors), 'MiB');
  await source.close();

  for (const [what, ...how] of [
    ['git alone, one commit', '--depth=1'],
    ['git alone, the whole history'],
    ['git alone, the history without contents', '--filter=blob:none'],
    ['git alone, the history without trees', '--filter=tree:0'],
  ] as const) {
    const directory = join(root, 'other.git');
    await mustRun(['git', 'init', '--quiet', '--bare', directory]);
    const took = await timed(() =>
      mustRun(['git', '-C', directory, 'fetch', '--quiet', '--no-tags', ...how, url, '+refs/heads/main:refs/heads/main'], {
        timeoutMs: LIMIT_MS,
      }),
    );
    line(what, took, 'ms');
    line(`${what}: on disk`, mebibytes(directory), 'MiB');
    rmSync(directory, { recursive: true });
  }
  verdict({
    'nothing is transferred while the remote has not moved': same,
    'a look at it takes less than a second': Math.max(...unmoved) < 1000,
    'the next push is there within 3 seconds': Math.max(...moved) < 3000,
  });
} finally {
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
}
