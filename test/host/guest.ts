// Instances looked at from outside, as somebody who does not trust the daemon would: by cgroups, /proc, files on disk and the network.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createConnection } from 'node:net';
import { cgroupDir } from '../../src/core/names.ts';
import type { TestHost } from './harness.ts';

/** A control file of the instance's payload, from whichever hierarchy has it. */
export function cgroupValue(host: TestHost, name: string, file: string): string {
  const [found] = globSync(`/sys/fs/cgroup/{.,*}/${cgroupDir(host.prefix, name)}/payload/${file}`);
  assert.ok(found, `no ${file} of ${name}`);
  return readFileSync(found, 'utf8').trim();
}

/** Process 1 of the instance, as the host numbers it; undefined while it does not run. */
export function findInit(host: TestHost, name: string): number | undefined {
  for (const file of globSync(`/sys/fs/cgroup/{.,*}/${cgroupDir(host.prefix, name)}/payload/cgroup.procs`)) {
    for (const pid of textOf(file).split('\n').filter(Boolean)) {
      const status = procFile(pid, 'status');
      // Executed already: before that it is still a copy of the helper.
      if (/^NSpid:\t\d+\t1$/m.test(status) && procFile(pid, 'cmdline').includes('init')) return Number(pid);
    }
  }
  return undefined;
}

export function initPid(host: TestHost, name: string): number {
  const pid = findInit(host, name);
  assert.ok(pid !== undefined, `"${name}" runs`);
  return pid;
}

export function procFile(pid: number | string, file: string): string {
  return textOf(`/proc/${pid}/${file}`);
}

/** Of a kernel's file that goes with its process or cgroup. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // ended meanwhile
  }
}

/** First id on the host, from the kernel's own map. */
export function idBase(pid: number): number {
  const [, , first, length] = /^\s*(0)\s+(\d+)\s+(\d+)$/m.exec(procFile(pid, 'uid_map')) ?? [];
  assert.equal(length, '65536');
  return Number(first);
}

/** Runs a command in the instance with the client; fails unless it ends with 0. */
export async function guest(host: TestHost, name: string, ...command: string[]): Promise<string> {
  const { code, stdout, stderr } = await host.lockstep('exec', name, '--', ...command);
  assert.equal(code, 0, `${command.join(' ')} in ${name}: ${stdout}${stderr}`);
  return stdout.trim();
}

export async function guestCode(host: TestHost, name: string, ...command: string[]): Promise<number> {
  return (await host.lockstep('exec', name, '--', ...command)).code;
}

/** The body of http://ADDRESS/, as curl gets it. */
export async function page(address: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const asked = request({ host: address, port: 80, path: '/', timeout: 2000, agent: false }, (answer) => {
    let body = '';
    answer.on('data', (chunk: Buffer) => (body += chunk.toString()));
    answer.on('end', () => resolve(body));
    answer.on('error', reject);
  });
  asked.on('error', reject);
  asked.on('timeout', () => asked.destroy(new Error('timeout')));
  asked.end();
  return await promise;
}

/** A request that is begun, and ended at will: until then the connection stays open. */
export interface HeldRequest {
  send(line: string): void;
  /** Resolves with everything that came back; the guest's httpd waits for a request for 60 s. */
  finish(): Promise<string>;
}

export async function holdRequest(address: string): Promise<HeldRequest> {
  const socket = createConnection({ host: address, port: 80 });
  await once(socket, 'connect');
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
  socket.on('error', (error) => (received += error.message));
  const ended = once(socket, 'close');
  socket.write('GET / HTTP/1.0\r\n');
  return {
    send: (line) => void socket.write(`${line}\r\n`),
    finish: async () => {
      socket.write('\r\n');
      await ended;
      return received;
    },
  };
}
