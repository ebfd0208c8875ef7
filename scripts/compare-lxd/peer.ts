// The distribution's LXD or Incus as a peer to compare with: a daemon of its own in a temporary directory, without networks or pools
// until asked for, and everything removed at the end. Nothing of Lockstep needs it; the comparisons' results are kept in test/data.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run, type RunResult } from '../../src/host/run/run.ts';
import { endProcesses, ownMountNamespace } from './left-processes.ts';
import type { Program } from './program.ts';

/** What the daemon answers: `metadata`, or its error text. */
export type Answer = { readonly ok: true; readonly metadata: unknown } | { readonly ok: false; readonly error: string };

interface Envelope {
  readonly type: 'sync' | 'async' | 'error';
  readonly error?: string;
  readonly operation?: string;
  readonly metadata?: unknown;
}

interface Operation {
  readonly status_code: number;
  readonly err: string;
}

/** Objects the peer has made, in the order of making. */
type Made = { readonly path: string };

const START_MS = 60_000;
const OPERATION_S = 120;
const PROCESSES_MS = 10_000;

/** Starts it; throws with its log when it does not come up. Needs root. */
export async function startPeer(program: Program): Promise<LxdPeer> {
  const dir = program.makeDirectory();
  const log = join(dir.here, 'daemon.out');
  const tablesBefore = await nftTables();
  const output = openSync(log, 'a');
  // Not the process group of the terminal: an interrupt here must not end it before its objects are removed.
  const [command = '', ...argv] = program.daemon(dir.there);
  const child = spawn(command, argv, {
    env: program.environment(dir.there),
    stdio: ['ignore', output, output],
    detached: true,
  });
  closeSync(output);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.once('error', () => undefined);
  const peer = new LxdPeer(program, dir, child.pid ?? 0, ended, tablesBefore);
  const deadline = Date.now() + START_MS;
  while (Date.now() < deadline && child.exitCode === null && child.pid !== undefined) {
    const answer = await peer.call('GET', '/1.0').catch(() => undefined);
    peer.namespace = ownMountNamespace(child.pid);
    if (answer?.ok === true) {
      peer.version = (answer.metadata as { environment: { server_version: string } }).environment.server_version;
      return peer;
    }
    await sleep(200);
  }
  const text = readFileSync(log, 'utf8');
  await peer[Symbol.asyncDispose]();
  throw new Error(`${program.name} did not start. Is it installed (${program.install})?\n${text}`);
}

async function nftTables(): Promise<readonly string[]> {
  const { stdout } = await run(['nft', 'list', 'tables']);
  return stdout.split('\n').filter((line) => line !== '');
}

export class LxdPeer {
  readonly program: Program;
  /** Its directory, as this process sees it. */
  readonly dir: string;
  /** The same as the daemon and its client see it. */
  readonly inside: string;
  readonly pid: number;
  version = '';
  /** Its mount namespace, once it has one of its own. */
  namespace: string | undefined;
  readonly #ended: Promise<void>;
  readonly #tablesBefore: readonly string[];
  readonly #made: Made[] = [];

  constructor(
    program: Program,
    dir: { readonly here: string; readonly there: string },
    pid: number,
    ended: Promise<void>,
    tablesBefore: readonly string[],
  ) {
    this.program = program;
    this.dir = dir.here;
    this.inside = dir.there;
    this.pid = pid;
    this.#ended = ended;
    this.#tablesBefore = tablesBefore;
  }

  /** One request; operations are waited for. */
  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    const envelope = await this.#send(method, path, body);
    if (envelope.type === 'error') return { ok: false, error: envelope.error ?? 'unknown' };
    if (envelope.type === 'sync') return { ok: true, metadata: envelope.metadata };
    const waited = await this.#send('GET', `${envelope.operation ?? ''}/wait?timeout=${OPERATION_S}`);
    if (waited.type === 'error') return { ok: false, error: waited.error ?? 'unknown' };
    const operation = waited.metadata as Operation;
    return operation.status_code === 200 ? { ok: true, metadata: operation } : { ok: false, error: operation.err };
  }

  /** As `call`, but a refusal throws. */
  async must(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await this.call(method, path, body);
    if (!answer.ok) throw new Error(`${this.program.name} refused ${method} ${path}: ${answer.error}`);
    return answer.metadata;
  }

  /** Makes an object that is removed with the peer. */
  async make(collection: string, body: { readonly name: string } & Readonly<Record<string, unknown>>): Promise<void> {
    await this.must('POST', `/1.0/${collection}`, body);
    this.#made.push({ path: `/1.0/${collection}/${body.name}` });
  }

  /** Puts an image archive that lies in `dir` into its store under an alias. */
  async importImage(file: string, alias: string): Promise<void> {
    const result = await this.cli(['image', 'import', join(this.inside, file), '--alias', alias]);
    if (result.code !== 0) throw new Error(`${this.program.name} refused the image: ${result.stderr}`);
  }

  /** The stock client. */
  async cli(argv: readonly string[], timeoutMs = 300_000): Promise<RunResult> {
    return await run(this.program.client(argv), { env: this.program.environment(this.inside), timeoutMs });
  }

  /** `lxd ...`, `incus admin ...`. */
  async admin(argv: readonly string[], timeoutMs = 300_000): Promise<RunResult> {
    return await run(this.program.admin(argv), { env: this.program.environment(this.inside), timeoutMs });
  }

  async #send(method: string, path: string, body?: unknown): Promise<Envelope> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    return await new Promise((resolve, reject) => {
      const sent = request(
        {
          socketPath: join(this.dir, 'unix.socket'),
          method,
          path,
          headers: text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
          timeout: (OPERATION_S + 60) * 1000,
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            try {
              resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')) as Envelope);
            } catch (error) {
              reject(new Error(`${this.program.name} answered ${method} ${path} with something else than JSON.`, { cause: error }));
            }
          });
        },
      );
      sent.on('timeout', () => sent.destroy(new Error(`${this.program.name} did not answer ${method} ${path} in time.`)));
      sent.on('error', reject);
      sent.end(text);
    });
  }

  /** Instances, what `make` made (last first), the daemon, processes it leaves, its mounts, its nftables table, its directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      const instances = await this.call('GET', '/1.0/instances');
      for (const path of instances.ok ? (instances.metadata as string[]) : []) await this.removeInstance(path);
      const profile = { config: {}, description: '', devices: {} };
      await this.call('PUT', '/1.0/profiles/default', profile);
      for (const { path } of this.#made.toReversed()) await this.call('DELETE', path);
      const images = await this.call('GET', '/1.0/images');
      for (const path of images.ok ? (images.metadata as string[]) : []) await this.call('DELETE', path);
      // A pool is not empty while an image has a volume in it.
      for (const { path } of this.#made.toReversed()) await this.call('DELETE', path);
      await this.admin(['shutdown', '--timeout', '60'], 90_000);
    } catch {
      // It is gone already; the rest is removed all the same.
    }
    const stopped = await Promise.race([this.#ended.then(() => true), sleep(30_000, false, { ref: false })]);
    if (!stopped && this.pid > 0) process.kill(this.pid, 'SIGKILL');
    const left = await endProcesses({ directory: this.inside, namespace: this.namespace }, PROCESSES_MS);
    if (left.length > 0) process.stderr.write(`These processes of ${this.program.name} could not be ended: ${left.join(', ')}\n`);
    await this.#unmountAll();
    const { table } = this.program;
    if (table !== undefined && !this.#tablesBefore.includes(table)) await run(['nft', 'delete', ...table.split(' ')]);
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Force-stops and deletes. */
  async removeInstance(path: string): Promise<void> {
    await this.call('PUT', `${path}/state`, { action: 'stop', force: true, timeout: 30 });
    await this.call('DELETE', path);
  }

  async #unmountAll(): Promise<void> {
    const below = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .filter((path) => path.startsWith(`${this.dir}/`));
    for (const path of below.toReversed()) await run(['umount', '-l', path]);
  }
}
