// The init of a container is killed from outside: how long until it runs again, with COUNT instances running, one after another; next to
// what the same takes by hand: SIGKILL to init until lxc-wait says STOPPED, and lxc-start until RUNNING, of a container with the same
// image, pool and bridge. Ends with code 1 when the 99th percentile is more than 100 ms over the raw one.
// As root: node bench/revive.ts [count] [raw repetitions]
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { globSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { loadavg, release } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TestHost } from '../test/host/harness.ts';
import { instances } from '../test/host/manifests.ts';
import { initFinder, percentile, row, until } from './latencies.ts';
import { allRunning, checkReallyRunning, prepare } from './lockstep-round.ts';
import { machine } from './machine.ts';

const COUNT = Number(process.argv[2] ?? 100);
const RAW = Number(process.argv[3] ?? 50);
const ALLOWED_MS = 100;
const exec = promisify(execFile);

interface Raw {
  readonly stop: number[];
  readonly start: number[];
}

async function raw(host: TestHost): Promise<Raw> {
  const pool = host.paths.pool('fast');
  const [image] = readdirSync(join(pool, 'images'));
  assert.ok(image, 'the image is unpacked in the pool');
  const lxcpath = join(host.root, 'raw');
  const name = 'raw';
  const volume = join(pool, 'raw');
  await exec('/usr/bin/btrfs', ['subvolume', 'snapshot', join(pool, 'images', image), volume]);
  mkdirSync(join(lxcpath, name), { recursive: true, mode: 0o711 });
  const cgroups = `${host.prefix}.lockstep/${name}`;
  const config = [
    'lxc.mount.auto = proc:rw sys:rw cgroup:mixed',
    `lxc.uts.name = ${name}`,
    `lxc.rootfs.path = dir:${join(volume, 'rootfs')}`,
    'lxc.rootfs.options = idmap=container',
    'lxc.idmap = u 0 500000000 65536',
    'lxc.idmap = g 0 500000000 65536',
    'lxc.net.0.type = veth',
    `lxc.net.0.link = ${host.prefix}-lan`,
    `lxc.net.0.veth.pair = ${host.prefix}r`,
    'lxc.net.0.flags = up',
    `lxc.cgroup.dir.container = ${cgroups}/payload`,
    `lxc.cgroup.dir.monitor = ${cgroups}/monitor`,
    `lxc.cgroup.dir.monitor.pivot = ${cgroups}/pivot`,
    '',
  ];
  writeFileSync(join(lxcpath, name, 'config'), config.join('\n'));
  const lxc = async (tool: string, ...args: string[]): Promise<void> =>
    // Without newuidmap in its PATH liblxc writes the id maps itself, which is quicker, and asks no /etc/subuid.
    void (await exec(`/usr/bin/${tool}`, ['-P', lxcpath, '-n', name, ...args], { env: { PATH: '/nonexistent' } }));
  const times: Raw = { stop: [], start: [] };
  await lxc('lxc-start', '-d');
  const find = initFinder(`${host.prefix}.lockstep`, name);
  await until('init has started', () => find() !== undefined);
  for (let round = 0; round < RAW; round++) {
    const pid = find();
    assert.ok(pid !== undefined);
    const killed = performance.now();
    process.kill(pid, 'SIGKILL');
    await lxc('lxc-wait', '-s', 'STOPPED');
    times.stop.push(performance.now() - killed);
    // What liblxc leaves, a start with the same names would not go around.
    for (const left of globSync(`/sys/fs/cgroup/{.,*}/${cgroups}/*`).toReversed()) await exec('/usr/bin/rmdir', [left]).catch(() => {});
    const begun = performance.now();
    await lxc('lxc-start', '-d');
    await until('init has started', () => find() !== undefined);
    times.start.push(performance.now() - begun);
  }
  await lxc('lxc-stop', '-k');
  await exec('/usr/bin/btrfs', ['subvolume', 'delete', volume]);
  return times;
}

console.log(`${COUNT} busybox instances, unprivileged, btrfs and bridge; ${machine()}, Linux ${release()}`);
let over = Number.NaN;
{
  await using host = new TestHost({ flags: ['--resync', '1h'], env: { LOCKSTEP_LOG: 'info' } });
  await prepare(host);
  host.write('b.yaml', instances(COUNT));
  const names = Array.from({ length: COUNT }, (_, index) => `c${index}`);
  await allRunning(`${host.prefix}.lockstep`, names);
  await host.eventually('all are Ready', async () => (await host.status()).settled, 120_000);
  console.log(
    `load before: ${loadavg()
      .map((load) => load.toFixed(1))
      .join(' ')}`,
  );
  const revived: number[] = [];
  for (const name of names) {
    const find = initFinder(`${host.prefix}.lockstep`, name);
    const pid = find();
    assert.ok(pid !== undefined, `${name} runs`);
    process.kill(pid, 'SIGKILL');
    revived.push(await until(`${name} runs again`, () => ![undefined, pid].includes(find())));
  }
  const { stop, start } = await raw(host);
  checkReallyRunning(`${host.prefix}.lockstep`, names);
  const both = stop.map((ms, index) => ms + start[index]!);
  console.log(`${'ms'.padEnd(46)} ${'n'.padStart(4)} ${'p50'.padStart(6)} ${'p99'.padStart(6)} ${'max'.padStart(6)}`);
  console.log(row('raw: SIGKILL until STOPPED', stop));
  console.log(row('raw: lxc-start until RUNNING', start));
  console.log(row('raw: both', both));
  console.log(row('lockstep: SIGKILL until RUNNING again', revived));
  console.log(
    `load after: ${loadavg()
      .map((load) => load.toFixed(1))
      .join(' ')}`,
  );
  over = percentile(revived, 0.99) - percentile(both, 0.99);
}
console.log(`p99 over raw p99: ${over.toFixed(0)} ms (at most ${ALLOWED_MS})`);
process.exitCode = over <= ALLOWED_MS ? 0 : 1;
