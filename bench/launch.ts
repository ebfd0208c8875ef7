// From one new manifest file to COUNT busybox instances RUNNING on btrfs and a bridge, next to what `btrfs subvolume snapshot` and
// `lxc-start` need for the same with the distribution's includes. Ends with code 1 when the ratio is over LIMIT, or when not all of them
// really run. As root: node bench/launch.ts [count] [rounds] [limit]
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TestHost } from '../test/host/harness.ts';
import { allRunning, checkReallyRunning, type LockstepRound, lockstepRound, median, prepare } from './lockstep-round.ts';
import { machine } from './machine.ts';

const COUNT = Number(process.argv[2] ?? 50);
const ROUNDS = Number(process.argv[3] ?? 3);
const LIMIT = Number(process.argv[4] ?? 1);
const WIDTH = 8;
const exec = promisify(execFile);

async function inParallel(names: readonly string[], work: (name: string) => Promise<unknown>): Promise<number> {
  const left = [...names];
  const begun = performance.now();
  await Promise.all(
    Array.from({ length: WIDTH }, async () => {
      for (let name = left.shift(); name !== undefined; name = left.shift()) await work(name);
    }),
  );
  return performance.now() - begun;
}

/** A PATH with all that the distribution's hooks call, and without newuidmap: liblxc then writes the id maps itself, and asks no /etc/subuid. */
function toolsWithoutIdmap(host: TestHost): string {
  const path = join(host.root, 'bin');
  if (existsSync(path)) return path;
  mkdirSync(path);
  for (const directory of ['/usr/bin', '/usr/sbin']) {
    for (const name of readdirSync(directory)) {
      const there = existsSync(join(path, name));
      if (!there && name !== 'newuidmap' && name !== 'newgidmap') symlinkSync(join(directory, name), join(path, name));
    }
  }
  return path;
}

interface Raw {
  readonly launchMs: number;
  readonly stopMs: number;
}

/** The same image, pool, bridge and number. */
async function raw(host: TestHost, round: number, includes: readonly string[]): Promise<Raw> {
  const pool = host.paths.pool('fast');
  const [image] = readdirSync(join(pool, 'images'));
  assert.ok(image, 'the image is unpacked in the pool');
  const lxcpath = join(host.root, `raw${round}-${includes.length}`);
  const volumes = join(pool, `raw${round}-${includes.length}`);
  mkdirSync(lxcpath, { mode: 0o711 });
  mkdirSync(volumes, { mode: 0o711 });
  const names = Array.from({ length: COUNT }, (_, index) => `raw${index}`);
  const cgroups = `${host.prefix}.lockstep/raw`;
  const env = { PATH: toolsWithoutIdmap(host) };
  const launchMs = await inParallel(names, async (name) => {
    const index = Number(name.slice(3));
    await exec('/usr/bin/btrfs', ['subvolume', 'snapshot', join(pool, 'images', image), join(volumes, name)]);
    mkdirSync(join(lxcpath, name), { mode: 0o711 });
    writeFileSync(
      join(lxcpath, name, 'config'),
      [
        ...includes.map((file) => `lxc.include = ${file}`),
        ...(includes.length > 0 ? [] : ['lxc.mount.auto = proc:rw sys:rw cgroup:mixed']),
        `lxc.uts.name = ${name}`,
        `lxc.rootfs.path = dir:${join(volumes, name, 'rootfs')}`,
        'lxc.rootfs.options = idmap=container',
        `lxc.idmap = u 0 ${500_000_000 + index * 65_536} 65536`,
        `lxc.idmap = g 0 ${500_000_000 + index * 65_536} 65536`,
        'lxc.net.0.type = veth',
        `lxc.net.0.link = ${host.prefix}-lan`,
        `lxc.net.0.veth.pair = ${host.prefix}r${index}`,
        'lxc.net.0.flags = up',
        `lxc.cgroup.dir.container = ${cgroups}/${name}/payload`,
        `lxc.cgroup.dir.monitor = ${cgroups}/${name}/monitor`,
        `lxc.cgroup.dir.monitor.pivot = ${cgroups}/pivot`,
        '',
      ].join('\n'),
    );
    await exec('/usr/bin/lxc-start', ['-P', lxcpath, '-n', name, '-d'], { env });
  });
  await allRunning(cgroups, names);
  checkReallyRunning(cgroups, names);
  const stopMs = await inParallel(names, async (name) => {
    await exec('/usr/bin/lxc-stop', ['-P', lxcpath, '-n', name, '-k'], { env });
    await exec('/usr/bin/btrfs', ['subvolume', 'delete', join(volumes, name)]);
  });
  return { launchMs, stopMs };
}

function line(what: string, values: readonly number[], unit = 'ms'): number {
  const middle = median(values);
  console.log(`${what.padEnd(58)} ${middle.toFixed(0).padStart(6)} ${unit}   (${values.map((value) => value.toFixed(0)).join(', ')})`);
  return middle;
}

console.log(`${COUNT} busybox instances, unprivileged, btrfs and bridge; ${ROUNDS} rounds, median (each); ${machine()}`);
const STOCK = ['/usr/share/lxc/config/common.conf', '/usr/share/lxc/config/userns.conf'];
let ratio = Number.NaN;
{
  await using host = new TestHost({ env: { LOCKSTEP_LOG: 'info' } });
  await prepare(host);

  const stock: Raw[] = [];
  const lean: Raw[] = [];
  const ours: LockstepRound[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    stock.push(await raw(host, round, STOCK));
    ours.push(await lockstepRound(host, COUNT));
    lean.push(await raw(host, round, []));
  }
  const ms = (of: readonly Raw[]): number[] => of.map(({ launchMs }) => launchMs);
  const rawMs = line(`raw: snapshot and lxc-start, stock includes, width ${WIDTH}`, ms(stock));
  line(`raw: the same without any includes, width ${WIDTH}`, ms(lean));
  const oursMs = line('lockstep: from the manifest to all RUNNING', ms(ours));
  const readyMs = ours.map((one) => one.readyMs);
  line('lockstep: from the manifest to all Ready in its status', readyMs);
  const stopMs = (of: readonly Raw[]): number[] => of.map((one) => one.stopMs);
  line(`raw: lxc-stop -k and subvolume delete, stock, width ${WIDTH}`, stopMs(stock));
  line('lockstep: prune, from the confirmation to all gone', stopMs(ours));
  const rss = ours.map((one) => one.rssMiB);
  line(`lockstepd: resident memory with ${COUNT} running`, rss, 'MiB');
  ratio = oursMs / rawMs;
}
console.log(`ratio: ${ratio.toFixed(2)} (at most ${LIMIT})`);
process.exitCode = ratio <= LIMIT ? 0 : 1;
