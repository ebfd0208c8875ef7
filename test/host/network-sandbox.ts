// A prefix and a state directory of a test's own on the real host, guests as bare network namespaces, and the clean-up of all of it; also
// of what an earlier, killed run has left.
import { randomInt } from 'node:crypto';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLog } from '../../src/core/log.ts';
import { makePaths, type Paths } from '../../src/core/paths.ts';
import { createNetworkPort } from '../../src/host/network/network-port.ts';
import { mustRun, run } from '../../src/host/run/run.ts';

const ROOT = '/var/tmp';
const NAME = /^lockstep-network-test-(\d+)-(n[a-z0-9]{3})$/;

export type RealNetwork = Awaited<ReturnType<typeof createNetworkPort>>;

export interface Guest {
  readonly pid: number;
  /** Runs a program in the guest's network namespace. */
  run(argv: readonly string[]): ReturnType<typeof run>;
}

export class NetworkSandbox {
  readonly prefix = `n${randomInt(36 ** 2, 36 ** 3).toString(36)}`;
  readonly paths: Paths;
  /** 10.A.B: a /24 of the test's own. */
  readonly net = `10.${randomInt(1, 255)}.${randomInt(1, 255)}`;
  readonly bridge = `${this.prefix}-lan`;
  readonly #directory: string;
  readonly #guests: ChildProcess[] = [];
  readonly #ports: RealNetwork[] = [];

  constructor() {
    this.#directory = join(ROOT, `lockstep-network-test-${process.pid}-${this.prefix}`);
    this.paths = makePaths(join(this.#directory, 'state'), join(this.#directory, 'run'));
    mkdirSync(this.paths.networks, { recursive: true });
    for (const directory of [this.#directory, this.paths.stateDir, this.paths.networks]) chmodSync(directory, 0o711);
  }

  /** A port as a daemon opens it; closing it ends nothing on the host. */
  async open(): Promise<RealNetwork> {
    const port = await createNetworkPort({ paths: this.paths, prefix: this.prefix, log: silentLog });
    this.#ports.push(port);
    return port;
  }

  /** A network namespace with one interface `eth0`, whose other side is `link` on the host. */
  async guest(link: string, hwaddr: string): Promise<Guest> {
    const child = spawn('unshare', ['--net', 'sleep', '300'], { stdio: 'ignore' });
    this.#guests.push(child);
    const pid = child.pid!;
    while (namespaceOf(pid) === namespaceOf(process.pid)) await sleep(5);
    await mustRun(['ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'address', hwaddr, 'netns', String(pid)]);
    await mustRun(['ip', 'link', 'set', link, 'up']);
    const guest: Guest = {
      pid,
      run: async (argv) => await run(['nsenter', '--target', String(pid), '--net', ...argv], { timeoutMs: 20_000 }),
    };
    await guest.run(['ip', 'link', 'set', 'lo', 'up']);
    await guest.run(['ip', 'link', 'set', 'eth0', 'up']);
    return guest;
  }

  async clean(): Promise<void> {
    for (const port of this.#ports) await port.close();
    for (const child of this.#guests) child.kill('SIGKILL');
    await removeAll(this.#directory, this.prefix);
  }
}

/** Which network namespace a process is in; that of ours while it cannot be told. */
function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return readlinkSync('/proc/self/ns/net');
  }
}

/** Asks for a lease as a guest does; the address, or undefined. */
export async function requestLease(guest: Guest, ...options: readonly string[]): Promise<string | undefined> {
  const { stderr, stdout } = await guest.run([
    'busybox',
    'udhcpc',
    '-i',
    'eth0',
    '-n',
    '-q',
    '-f',
    '-t',
    '5',
    '-T',
    '1',
    '-s',
    '/bin/true',
    ...options,
  ]);
  return /lease of ([\d.]+) obtained/.exec(stdout + stderr)?.[1];
}

/** What earlier runs left that were killed: those whose process is gone. */
export async function sweepNetworkTests(): Promise<void> {
  for (const name of readdirSync(ROOT)) {
    const [, pid, prefix] = NAME.exec(name) ?? [];
    if (pid !== undefined && prefix !== undefined && !existsSync(`/proc/${pid}`)) await removeAll(join(ROOT, name), prefix);
  }
}

async function removeAll(directory: string, prefix: string): Promise<void> {
  const networks = join(directory, 'state', 'networks');
  for (const bridge of existsSync(networks) ? readdirSync(networks) : []) endServer(join(networks, bridge, 'dnsmasq.pid'));
  await run(['nft', 'delete', 'table', 'inet', `lockstep_${prefix}`]);
  await run(['nft', 'delete', 'table', 'inet', `foreign_${prefix}`]);
  const { stdout } = await mustRun(['ip', '-j', 'link', 'show']);
  for (const { ifname } of JSON.parse(stdout) as { ifname: string }[]) {
    if (ifname.startsWith(`${prefix}-`) || ifname.startsWith(`${prefix}v`)) await run(['ip', 'link', 'delete', ifname]);
  }
  rmSync(directory, { recursive: true, force: true });
}

function endServer(pidFile: string): void {
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8').trim());
  if (!Number.isSafeInteger(pid) || pid <= 1 || !existsSync(`/proc/${pid}/cmdline`)) return;
  if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`--pid-file=${pidFile}`)) process.kill(pid, 'SIGKILL');
}
