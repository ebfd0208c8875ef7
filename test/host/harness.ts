// A real daemon for a test: own prefix and directories, started by bin/lockstepd as a user would, and everything it made removed at the
// end, whatever happened. What a killed test run left is removed by the next one.
//
//   test('...', { skip: needsRoot }, async (t) => {
//     await using host = await startHost(t, { manifests: { 'web.yaml': '...' } });
//     await host.waitReady();
//     ...
//   });
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makePaths, type Paths } from '../../src/core/paths.ts';
import { run, type RunOptions, type RunResult } from '../../src/host/run/run.ts';
import type { DaemonStatus } from '../../src/reconciler/control.ts';
import { hostDump, type TraceScope } from '../../scripts/host-traces.ts';
import { removeTraces } from '../../scripts/remove-traces.ts';

/** For `test(..., { skip: needsRoot })`. */
export const needsRoot: string | false = process.getuid?.() === 0 ? false : 'needs root';

/** Emulated machines are slower: all time limits are multiplied by LOCKSTEP_TEST_SLOW. */
export const slowness: number = Number(process.env['LOCKSTEP_TEST_SLOW'] ?? 1) || 1;

const BASE = '/var/tmp';
const ROOT_NAME = /^lockstep-test-(\d+)-([a-z][a-z0-9]{1,3})$/;
const BIN = join(import.meta.dirname, '../../bin');

/** Lines. */
const LAST_WORDS = 200;

export interface HostOptions {
  /** Files of the source directory, by relative path. */
  readonly manifests?: Readonly<Record<string, string>>;
  /** True: the flags say where manifests come from, instead of `manifests`. */
  readonly ownSources?: boolean;
  /** More flags for lockstepd. */
  readonly flags?: readonly string[];
  /** More environment for lockstepd, e.g. LOCKSTEP_FAULT. */
  readonly env?: Readonly<Record<string, string>>;
  /** The project directory to run the daemon from. Default: this one. */
  readonly program?: string;
  /** Default true. False: call `start` yourself. */
  readonly start?: boolean;
}

export async function startHost(t: TestContext, options: HostOptions = {}): Promise<TestHost> {
  await removeLeftovers(t);
  const host = new TestHost(options);
  // Also when the test forgets to dispose of it, or runs into its time limit.
  t.after(async () => {
    await host[Symbol.asyncDispose]();
    // Since Node 21.7; not in its types yet. A failed subtest is not seen here.
    if ('passed' in t && t.passed === false) t.diagnostic(host.lastWords);
  });
  for (const [file, text] of Object.entries(options.manifests ?? {})) host.write(file, text);
  if (options.start !== false) await host.start();
  return host;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export class TestHost {
  readonly prefix: string;
  readonly root: string;
  readonly paths: Paths;
  readonly manifests: string;
  readonly scope: TraceScope;
  readonly #options: HostOptions;
  readonly #logFile: string;
  #daemon: ChildProcess | undefined;
  #disposed: Promise<void> | undefined;
  /** The end of the daemon's log: for a test that fails where nobody can look afterwards. */
  lastWords = '';

  constructor(options: HostOptions) {
    this.#options = options;
    this.prefix = `t${randomInt(36 ** 2, 36 ** 3).toString(36)}`;
    this.root = join(BASE, `lockstep-test-${process.pid}-${this.prefix}`);
    this.paths = makePaths(join(this.root, 'state'), join(this.root, 'run'));
    this.manifests = join(this.root, 'manifests');
    this.scope = { prefix: this.prefix, roots: [this.root] };
    this.#logFile = join(this.root, 'daemon.log');
    mkdirSync(this.manifests, { recursive: true });
    // Containers' roots are host users without any rights: the way to their files must be searchable.
    chmodSync(this.root, 0o711);
  }

  get daemonPid(): number {
    assert.ok(this.#daemon?.pid, 'the daemon runs');
    return this.#daemon.pid;
  }

  /** It was started and does not run any more. */
  get ended(): boolean {
    return this.#daemon !== undefined && (this.#daemon.exitCode !== null || this.#daemon.signalCode !== null);
  }

  /** Everything the daemon has written to stdout and stderr, of all its starts. */
  get log(): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8') : '';
  }

  /** Starts the daemon and waits until its API answers. `env` is added to the options' for this start only. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const daemon = this.spawnDaemon(env);
    const ended = (): boolean => daemon.exitCode !== null || daemon.signalCode !== null;
    await this.eventually('the API answers', async () => ended() || (await this.get('/healthz')).status === 200, 30_000);
    if (ended()) assert.fail(`The daemon ended instead of starting.\n${await this.#report()}`);
  }

  /** Starts the daemon and does not wait: for daemons that are expected to end. */
  spawnDaemon(env: Readonly<Record<string, string>> = {}, flags: readonly string[] = []): ChildProcess {
    const source = this.#options.ownSources === true ? [] : ['--source', `main=${this.manifests}`];
    const argv = [...source, '--state-dir', this.paths.stateDir, '--run-dir', this.paths.runDir];
    const output = openSync(this.#logFile, 'a');
    try {
      const bin = this.#options.program === undefined ? BIN : join(this.#options.program, 'bin');
      this.#daemon = spawn(join(bin, 'lockstepd'), [...argv, '--prefix', this.prefix, ...(this.#options.flags ?? []), ...flags], {
        stdio: ['ignore', output, output],
        env: { PATH: process.env['PATH'] ?? '', LOCKSTEP_LOG: 'debug', ...this.#options.env, ...env },
      });
    } finally {
      closeSync(output);
    }
    return this.#daemon;
  }

  /** Resolves with the exit code (128 + 9 when killed) once the daemon has ended. */
  async exited(limitMs = 60_000): Promise<number> {
    const daemon = this.#daemon;
    assert.ok(daemon, 'the daemon was started');
    await this.eventually('the daemon ends', () => daemon.exitCode !== null || daemon.signalCode !== null, limitMs);
    return daemon.exitCode ?? 128 + 9;
  }

  async kill9(): Promise<void> {
    this.#daemon?.kill('SIGKILL');
    await this.exited();
  }

  /** An orderly end; containers keep running. */
  async stop(): Promise<number> {
    this.#daemon?.kill('SIGTERM');
    return await this.exited();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Writes a manifest as an editor does: aside, then renamed. */
  write(file: string, text: string): void {
    const path = join(this.manifests, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.new~`, text);
    renameSync(`${path}.new~`, path);
  }

  remove(file: string): void {
    rmSync(join(this.manifests, file));
  }

  /** Runs the client against this daemon. */
  async lockstep(...args: string[]): Promise<RunResult> {
    return await this.lockstepWith({}, ...args);
  }

  async lockstepWith(options: RunOptions, ...args: string[]): Promise<RunResult> {
    const timeoutMs = 120_000 * slowness;
    return await run([join(BIN, 'lockstep'), ...args], {
      timeoutMs,
      ...options,
      env: { LOCKSTEP_SOCKET: this.paths.socket, ...options.env },
    });
  }

  async get(path: string): Promise<Answer> {
    return await this.#ask('GET', path);
  }

  async post(path: string, body: unknown): Promise<Answer> {
    return await this.#ask('POST', path, JSON.stringify(body));
  }

  async delete(path: string): Promise<Answer> {
    return await this.#ask('DELETE', path);
  }

  async #ask(method: string, path: string, body?: string): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const asked = request({ socketPath: this.paths.socket, method, path, headers, agent: false, timeout: 30_000 * slowness }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
      answer.on('error', reject);
    });
    asked.on('error', reject);
    asked.on('timeout', () => asked.destroy(new Error(`${method} ${path} took too long`)));
    asked.end(body);
    return await promise;
  }

  async status(): Promise<DaemonStatus> {
    const { status, body } = await this.get('/v1/status');
    assert.equal(status, 200, body);
    return JSON.parse(body) as DaemonStatus;
  }

  /** Waits until a round was planned after now and every object is Ready, no problem is left and no confirmation is asked for. */
  async waitReady(limitMs = 60_000): Promise<DaemonStatus> {
    let last: DaemonStatus | undefined;
    await this.eventually(
      'everything is Ready',
      async () => {
        await this.sync();
        last = await this.status();
        return last.settled;
      },
      limitMs,
    );
    assert.ok(last);
    return last;
  }

  /** Has the sources read again now; resolves when that round is planned. */
  async sync(): Promise<void> {
    const { status, body } = await this.post('/v1/sync', {});
    assert.equal(status, 200, body);
  }

  /** Asks again and again until it holds; errors while asking count as "not yet". Fails with the last state and the daemon's log. */
  async eventually(what: string, holds: () => boolean | Promise<boolean>, limitMs = 30_000): Promise<void> {
    const until = performance.now() + limitMs * slowness;
    let problem: unknown;
    for (;;) {
      try {
        if (await holds()) return;
        problem = undefined;
      } catch (error) {
        problem = error;
      }
      if (performance.now() > until) break;
      await sleep(50);
    }
    const why = problem instanceof Error ? ` (${problem.message})` : '';
    assert.fail(`It did not happen within ${(limitMs * slowness) / 1000} s that ${what}${why}.\n${await this.#report()}`);
  }

  /** What this daemon has on the host: processes, links, mounts, loop devices, cgroups, tables, claims. */
  async dump(): Promise<string[]> {
    return await hostDump(this.scope);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed === undefined) this.lastWords = this.log.split('\n').slice(-LAST_WORDS).join('\n');
    this.#disposed ??= removeTraces(this.scope);
    await this.#disposed;
  }

  async #report(): Promise<string> {
    const summary = await this.status().then(
      ({ objects, sources }) => [
        ...objects.map((object) => `  ${object.ref.kind} ${object.ref.name}: ${object.summary} ${object.error?.message ?? ''}`),
        ...sources.flatMap((source) => source.problems.map((problem) => `  problem: ${problem.file}:${problem.line} ${problem.message}`)),
      ],
      () => ['  (no status)'],
    );
    return ['Status:', ...summary, 'Log:', ...this.log.split('\n').slice(-30)].join('\n');
  }
}

/** Some host tests begin with it: what stays for good must not cost each of them much. */
const LEFTOVER_MS = 1000;

/** Of test runs that were killed: their process is gone, what they made is still there. One wait for all of them. */
async function removeLeftovers(t: TestContext): Promise<void> {
  const remove = async (name: string): Promise<void> => {
    const [, pid, prefix] = ROOT_NAME.exec(name) ?? [];
    if (pid === undefined || prefix === undefined || existsSync(`/proc/${pid}`)) return;
    try {
      await removeTraces({ prefix, roots: [join(BASE, name)] }, { patienceMs: LEFTOVER_MS * slowness });
    } catch (error) {
      // Something else of this host holds it (a mount namespace keeps what was mounted when it was made): no fault of this test.
      t.diagnostic(`Leftovers of an earlier run stay: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  await Promise.all(readdirSync(BASE).map(remove));
}
