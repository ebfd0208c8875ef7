// A real busybox container for native tests and measurements: its root file system, id range, LXC config and state directory.
// Everything lies in one temporary directory below /var/tmp whose parents a container's root can search (0711).
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { silentLog } from '../../src/core/log.ts';
import { cgroupDir } from '../../src/core/names.ts';
import { makePaths, type Paths } from '../../src/core/paths.ts';
import { createLxcPort, type LxcPortOptions } from '../../src/host/lxc/lxc-port.ts';
import type { LxcPort } from '../../src/host/ports/lxc.ts';

/** Below every range lockstep gives out (they are taken from the top). */
export const FIRST_ID = 300_000_000;
const APPLETS = [
  'sh',
  'init',
  'sleep',
  'cat',
  'echo',
  'kill',
  'reboot',
  'poweroff',
  'tty',
  'id',
  'env',
  'pwd',
  'true',
  'ls',
  'stty',
  'mkdir',
  'touch',
];

/** Why real containers cannot run here, or undefined. */
export function nativeProblem(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  try {
    execFileSync('busybox', ['true']);
  } catch {
    return 'needs busybox-static';
  }
  return undefined;
}

export interface TestHost {
  readonly root: string;
  readonly rootfs: string;
  readonly paths: Paths;
  readonly prefix: string;
  readonly port: LxcPort & { close(): Promise<void> };
  /** Defines a container; `extra` are lines of LXC config. */
  define(name: string, extra?: readonly string[]): Promise<void>;
  /** A second daemon on the same state, after the first one's port is closed. */
  reopen(options?: Pick<LxcPortOptions, 'adoptedStartMs'>): Promise<TestHost['port']>;
  [Symbol.asyncDispose](): Promise<void>;
}

export function makeRootfs(rootfs: string): void {
  for (const directory of ['bin', 'sbin', 'etc/init.d', 'proc', 'sys', 'dev', 'tmp', 'root', 'run', 'var']) {
    mkdirSync(join(rootfs, directory), { recursive: true });
  }
  const busybox = execFileSync('which', ['busybox'], { encoding: 'utf8' }).trim();
  copyFileSync(busybox, join(rootfs, 'bin/busybox'));
  for (const applet of APPLETS) symlinkSync('busybox', join(rootfs, 'bin', applet));
  symlinkSync('/bin/busybox', join(rootfs, 'sbin/init'));
  writeFileSync(join(rootfs, 'etc/inittab'), '::sysinit:/bin/true\n::ctrlaltdel:/bin/reboot\n');
  writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/:/bin/sh\n');
  shiftOwners(rootfs);
}

function shiftOwners(path: string): void {
  lchownSync(path, FIRST_ID, FIRST_ID);
  if (!lstatSync(path).isDirectory()) return;
  for (const entry of readdirSync(path)) shiftOwners(join(path, entry));
}

export function busyboxConfig(
  host: { readonly rootfs: string; readonly prefix: string },
  name: string,
  extra: readonly string[] = [],
): string {
  const lines = [
    `lxc.uts.name = ${name}`,
    `lxc.rootfs.path = dir:${host.rootfs}`,
    `lxc.idmap = u 0 ${FIRST_ID} 65536`,
    `lxc.idmap = g 0 ${FIRST_ID} 65536`,
    'lxc.mount.auto = proc:mixed sys:mixed',
    'lxc.tty.max = 0',
    'lxc.pty.max = 64',
    'lxc.signal.halt = SIGUSR1',
    'lxc.signal.reboot = SIGTERM',
    'lxc.apparmor.profile = unconfined',
    `lxc.cgroup.dir.container = ${cgroupDir(host.prefix, name)}/payload`,
    `lxc.cgroup.dir.monitor = ${cgroupDir(host.prefix, name)}/monitor`,
    ...(extra.some((line) => line.startsWith('lxc.net.')) ? [] : ['lxc.net.0.type = empty']),
    ...extra,
  ];
  return `${lines.join('\n')}\n`;
}

/** A state directory with one shared root file system. Dispose it: that kills and removes everything it made. */
export async function makeTestHost(prefix = 'tn'): Promise<TestHost> {
  const root = mkdtempSync('/var/tmp/lockstep-native-');
  chmodSync(root, 0o711);
  const paths = makePaths(join(root, 'state'), join(root, 'run'));
  mkdirSync(paths.stateDir, { mode: 0o711 });
  const rootfs = join(root, 'rootfs');
  mkdirSync(rootfs, { mode: 0o755 });
  makeRootfs(rootfs);
  chownSync(rootfs, FIRST_ID, FIRST_ID);
  const open = (options: Pick<LxcPortOptions, 'adoptedStartMs'> = {}): Promise<TestHost['port']> =>
    createLxcPort({ paths, prefix, log: silentLog, ...options });
  let port = await open();
  const host: TestHost = {
    root,
    rootfs,
    paths,
    prefix,
    get port() {
      return port;
    },
    define: (name, extra) => port.define(name, { config: busyboxConfig(host, name, extra), record: JSON.stringify({ name }) }),
    async reopen(options) {
      await port.close();
      port = await open(options);
      return port;
    },
    async [Symbol.asyncDispose]() {
      const signal = AbortSignal.timeout(60_000);
      for (const name of (await port.list()).keys()) {
        await port.kill(name, signal);
        await port.undefine(name);
      }
      await port.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
  return host;
}
