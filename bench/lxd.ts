// The same work done by LXD and by Lockstep in one run: COUNT busybox instances launched and deleted, on btrfs in a loop file and a bridge.
// LXD does it with its own lxd-benchmark at several widths, of which the best counts. Ends with code 1 when Lockstep is less than
// LAUNCH times as fast to launch or DELETE times as fast to delete. Needs the packages lxd, lxd-client and lxd-tools.
// As root: node bench/lxd.ts [count] [launch] [delete]
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { importBusybox } from '../scripts/compare-lxd/busybox-image.ts';
import { type LxdPeer, startPeer } from '../scripts/compare-lxd/peer.ts';
import { LXD } from '../scripts/compare-lxd/program.ts';
import { run } from '../src/host/run/run.ts';
import { TestHost } from '../test/host/harness.ts';
import { type LockstepRound, lockstepRound, median, prepare } from './lockstep-round.ts';
import { machine } from './machine.ts';

const COUNT = Number(process.argv[2] ?? 50);
const LAUNCH = Number(process.argv[3] ?? 8);
const DELETE = Number(process.argv[4] ?? 10);
const WIDTHS = [2, 8, 16];
const LIMIT_MS = 300_000;
const SETTLE_MS = 5000;

interface LxdRound {
  readonly width: number;
  readonly launchMs: number;
  readonly deleteMs: number;
  readonly rssMiB: number;
}

/** Pool, bridge, profile and image; one instance is made and deleted, so that the image is unpacked. */
async function prepareLxd(peer: LxdPeer): Promise<void> {
  await peer.make('storage-pools', { name: 'bench', driver: 'btrfs', config: { size: '8GiB' } });
  const config = { 'ipv4.address': '10.199.76.1/24', 'ipv4.nat': 'false', 'ipv6.address': 'none' };
  await peer.make('networks', { name: 'lxdbench0', type: 'bridge', config });
  const devices = { root: { type: 'disk', path: '/', pool: 'bench' }, eth0: { type: 'nic', network: 'lxdbench0' } };
  await peer.must('PUT', '/1.0/profiles/default', { config: {}, description: '', devices });
  await importBusybox(peer, 'busybox');
  await benchmark(peer, ['launch', '--count', '1', '--parallel', '1', 'busybox']);
  await benchmark(peer, ['delete', '--parallel', '1']);
}

/** Milliseconds of one lxd-benchmark. */
async function benchmark(peer: LxdPeer, argv: readonly string[]): Promise<number> {
  const begun = performance.now();
  const env = peer.program.environment(peer.inside);
  const { code, stdout, stderr } = await run(['lxd-benchmark', ...argv], { env, timeoutMs: LIMIT_MS });
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  return performance.now() - begun;
}

async function lxdRound(peer: LxdPeer, width: number): Promise<LxdRound> {
  const launchMs = await benchmark(peer, ['launch', '--count', String(COUNT), '--parallel', String(width), 'busybox']);
  const listed = (await peer.must('GET', '/1.0/instances?recursion=1')) as readonly { readonly status: string }[];
  assert.equal(listed.filter(({ status }) => status === 'Running').length, COUNT, 'all run');
  const rssMiB = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${peer.pid}/status`, 'utf8'))?.[1]) / 1024;
  const deleteMs = await benchmark(peer, ['delete', '--parallel', String(width)]);
  assert.deepEqual(await peer.must('GET', '/1.0/instances'), [], 'all are gone');
  return { width, launchMs, deleteMs, rssMiB };
}

function line(what: string, value: number, unit = 'ms'): void {
  console.log(`${what.padEnd(58)} ${value.toFixed(0).padStart(6)} ${unit}`);
}

const lxd: LxdRound[] = [];
const ours: LockstepRound[] = [];
let version: string;
{
  await using peer = await startPeer(LXD);
  await using host = new TestHost({ env: { LOCKSTEP_LOG: 'info' } });
  version = peer.version;
  await prepareLxd(peer);
  await prepare(host);
  // Taken in turn, so that both meet the same state of the machine.
  for (const width of WIDTHS) {
    // The kernel takes network namespaces and subvolumes apart after both sides have said that they are done.
    await sleep(SETTLE_MS);
    ours.push(await lockstepRound(host, COUNT));
    await sleep(SETTLE_MS);
    lxd.push(await lxdRound(peer, width));
  }
}

console.log(`${COUNT} busybox instances, unprivileged, btrfs in a loop file and bridge; ${machine()}`);
for (const { width, launchMs, deleteMs, rssMiB } of lxd) {
  line(`LXD ${version}: launch, width ${width}`, launchMs);
  line(`LXD ${version}: delete, width ${width}`, deleteMs);
  line(`LXD ${version}: resident memory of the daemon`, rssMiB, 'MiB');
}
for (const { launchMs, stopMs, rssMiB } of ours) {
  line('Lockstep: from the manifest to all RUNNING', launchMs);
  line('Lockstep: from the confirmation to all deleted', stopMs);
  line('Lockstep: resident memory of the daemon', rssMiB, 'MiB');
}
// The best of LXD against the middle of Lockstep.
const launch = Math.min(...lxd.map(({ launchMs }) => launchMs)) / median(ours.map(({ launchMs }) => launchMs));
const remove = Math.min(...lxd.map(({ deleteMs }) => deleteMs)) / median(ours.map(({ stopMs }) => stopMs));
console.log(`launch: ${launch.toFixed(1)} times as fast (at least ${LAUNCH}); delete: ${remove.toFixed(1)} times (at least ${DELETE})`);
process.exitCode = launch >= LAUNCH && remove >= DELETE ? 0 : 1;
