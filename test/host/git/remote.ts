// Real git remotes for tests: a bare repository with commits made in a clone beside it, served by git's own http backend behind a small
// server on the loopback, and by a real sshd with keys of its own. Everything lies in one directory and ends with the test.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { mustRun, run } from '../../../src/host/run/run.ts';
import { parseLocation } from '../../../src/sources/git/location.ts';
import { Mirrors } from '../../../src/sources/git/mirror.ts';
import { type GitOptions, gitOptions } from '../../../src/sources/git/options.ts';
import { GitSource } from '../../../src/sources/git/source.ts';

const AUTHOR = {
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@example.com',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@example.com',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
};

export class GitBench {
  readonly root: string;
  readonly bare: string;
  readonly work: string;
  readonly state: string;
  readonly run: string;

  constructor(t: TestContext) {
    this.root = mkdtempSync('/var/tmp/lockstep-git-');
    t.after(() => rmSync(this.root, { recursive: true, force: true, maxRetries: 5 }));
    this.bare = join(this.root, 'remote.git');
    this.work = join(this.root, 'work');
    this.state = join(this.root, 'state');
    this.run = join(this.root, 'run');
    mkdirSync(this.state);
    mkdirSync(this.run);
  }

  static async make(t: TestContext, files: Readonly<Record<string, string>> = { 'a.yaml': 'kind: A\n' }): Promise<GitBench> {
    const bench = new GitBench(t);
    await mustRun(['git', 'init', '--quiet', '--bare', '--initial-branch=main', bench.bare], { env: AUTHOR });
    await mustRun(['git', 'init', '--quiet', '--initial-branch=main', bench.work], { env: AUTHOR });
    await bench.git('remote', 'add', 'origin', bench.bare);
    await bench.commit(files);
    return bench;
  }

  get url(): string {
    return `file://${this.bare}`;
  }

  async git(...argv: string[]): Promise<string> {
    return (
      await mustRun(['git', '-C', this.work, ...argv], { env: { ...AUTHOR, HOME: this.root, GNUPGHOME: join(this.root, 'gnupg') } })
    ).stdout.trim();
  }

  /** Writes files (null removes), commits and pushes; gives the commit's id. `sign`: more arguments for git commit. */
  async commit(
    files: Readonly<Record<string, string | null>>,
    more: { push?: string[]; commit?: string[]; config?: string[] } = {},
  ): Promise<string> {
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.work, name);
      if (text === null) rmSync(path);
      else {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, text);
      }
    }
    await this.git('add', '--all');
    await this.git(...(more.config ?? []), 'commit', '--quiet', '--allow-empty', '-m', 'change', ...(more.commit ?? []));
    await this.git('push', '--quiet', ...(more.push ?? []), 'origin', 'HEAD');
    return await this.git('rev-parse', 'HEAD');
  }

  options(location: string = this.url, more: Partial<GitOptions> = {}): GitOptions {
    return { ...gitOptions(parseLocation(location)), timeoutMs: 60_000, intervalMs: 3_600_000, ...more };
  }

  source(t: TestContext, options: GitOptions, mirrors: Mirrors = this.mirrors()): GitSource {
    const source = new GitSource('main', options, { mirrors, stateDir: this.state, runDir: this.run, firstWaitMs: 60_000 });
    t.after(() => source.close());
    return source;
  }

  mirrors(): Mirrors {
    return new Mirrors(this.state, this.run);
  }
}

export interface HttpRemote {
  readonly url: string;
  /** Requests by path and query, as they came. */
  readonly requests: string[];
  /** The value of the last Authorization header. */
  authorization: string | undefined;
  /** Answers instead of git when set: a broken server. True when it has answered. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  /** Asked for credentials when set; compared with the whole header. */
  expect: string | undefined;
  /** Cuts the connection after so many bytes of an answer to a fetch. */
  cutAfterBytes: number | undefined;
  /** Sends no more after so many bytes of an answer to a fetch, and keeps the connection. */
  stallAfterBytes: number | undefined;
  /** Answers that were stalled. */
  stalled: number;
  close(): Promise<void>;
}

/** `git http-backend` (git-http-backend(1)) as CGI. */
export async function serveHttp(t: TestContext, bench: GitBench, tls?: { key: string; cert: string }): Promise<HttpRemote> {
  let server: Server | undefined;
  const remote: HttpRemote = {
    url: '',
    requests: [],
    authorization: undefined,
    intercept: undefined,
    expect: undefined,
    cutAfterBytes: undefined,
    stallAfterBytes: undefined,
    stalled: 0,
    close: async () => {
      const closing = server;
      server = undefined;
      if (closing === undefined) return;
      closing.closeAllConnections();
      await new Promise((resolve) => closing.close(resolve));
    },
  };
  const listener: RequestListener = (request, response) => {
    remote.requests.push(`${request.method} ${request.url}`);
    remote.authorization = request.headers.authorization ?? remote.authorization;
    if (remote.expect !== undefined && request.headers.authorization !== remote.expect) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
      return;
    }
    if (remote.intercept?.(request, response) === true) return;
    backend(bench, remote, request, response);
  };
  server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  const listening = server;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const { port } = listening.address() as AddressInfo;
  t.after(() => remote.close());
  return Object.assign(remote, { url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/remote.git` });
}

function backend(bench: GitBench, remote: HttpRemote, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const cgi = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      ...AUTHOR,
      GIT_PROJECT_ROOT: bench.root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: (request.headers['git-protocol'] as string | undefined) ?? '',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  request.pipe(cgi.stdin);
  cgi.stdin.on('error', () => {});
  response.on('close', () => cgi.kill());
  let head: Buffer | undefined = Buffer.alloc(0);
  let sent = 0;
  const send = (bytes: Buffer): void => {
    const limit = remote.cutAfterBytes;
    const stall = remote.stallAfterBytes;
    if (request.method === 'POST' && stall !== undefined && sent + bytes.length > stall) {
      if (sent < stall) remote.stalled++;
      sent = stall;
      return;
    }
    const isPack = request.method === 'POST' && limit !== undefined;
    if (isPack && sent + bytes.length > limit) {
      response.write(bytes.subarray(0, limit - sent), () => request.socket.destroy());
      return;
    }
    sent += bytes.length;
    response.write(bytes);
  };
  cgi.stdout.on('data', (chunk: Buffer) => {
    if (head === undefined) return send(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    for (const line of head.toString('latin1', 0, end).split('\r\n')) {
      const [, name = '', value = ''] = /^([^:]+): (.*)$/.exec(line) ?? [];
      if (name.toLowerCase() === 'status') response.statusCode = Number(value.slice(0, 3));
      else if (name !== '') response.setHeader(name, value);
    }
    const rest = head.subarray(end + 4);
    head = undefined;
    if (rest.length > 0) send(rest);
  });
  cgi.stdout.on('end', () => response.end());
}

export interface SshRemote {
  readonly url: string;
  readonly keyFile: string;
  readonly knownHosts: string;
  close(): Promise<void>;
}

const SSHD = '/usr/sbin/sshd';
/** For `skip`: why there is no sshd here. */
export const needsSshd: string | false = existsSync(SSHD) ? false : 'needs openssh-server';
export const needsGpg: string | false = existsSync('/usr/bin/gpg') ? false : 'needs gpg';
export const needsSshKeygen: string | false = existsSync('/usr/bin/ssh-keygen') ? false : 'needs openssh-client';

export async function serveSsh(t: TestContext, bench: GitBench): Promise<SshRemote> {
  const directory = join(bench.root, 'sshd');
  mkdirSync(directory, { mode: 0o700 });
  // Without it sshd does not start; on a host that runs one, it is there.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const keyFile = await newKey(join(directory, 'client'));
  const hostKey = await newKey(join(directory, 'host'));
  const authorized = join(directory, 'authorized_keys');
  writeFileSync(authorized, readFileSync(`${keyFile}.pub`), { mode: 0o600 });
  const port = await freePort();
  const config = join(directory, 'config');
  const lines = [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${authorized}`,
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    'StrictModes no',
    'UsePAM no',
    `PidFile ${join(directory, 'pid')}`,
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  const sshd: ChildProcess = spawn(SSHD, ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'ignore'] });
  const close = async (): Promise<void> => {
    if (sshd.exitCode !== null || sshd.signalCode !== null) return;
    const ended = new Promise((resolve) => sshd.once('exit', resolve));
    sshd.kill();
    await ended;
  };
  t.after(close);
  await listens(port);
  const knownHosts = join(directory, 'known_hosts');
  const [type = '', key = ''] = readFileSync(`${hostKey}.pub`, 'utf8').split(' ');
  writeFileSync(knownHosts, `[127.0.0.1]:${port} ${type} ${key}\n`);
  return { url: `ssh://${userInfo().username}@127.0.0.1:${port}${bench.bare}`, keyFile, knownHosts, close };
}

export async function newKey(path: string): Promise<string> {
  await mustRun(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', path]);
  return path;
}

/** A certificate authority and a certificate for 127.0.0.1; undefined where there is no openssl. */
export async function newCertificate(directory: string): Promise<{ ca: string; key: string; cert: string } | undefined> {
  const file = (name: string): string => join(directory, name);
  const made = await run(
    [
      'openssl',
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      file('tls.key'),
      '-out',
      file('tls.crt'),
    ].concat(['-days', '2', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']),
  ).catch(() => undefined);
  if (made?.code !== 0) return undefined;
  return { ca: file('tls.crt'), key: readFileSync(file('tls.key'), 'utf8'), cert: readFileSync(file('tls.crt'), 'utf8') };
}

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listens(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('close', () => socket.destroy());
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
    await sleep(50);
  }
  throw new Error('sshd does not listen.');
}
