// What `btrfs subvolume snapshot` and `lxc-start` need for the same instances, for benchmarks: the limit of what can be reached.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestHost } from '../test/host/harness.ts';
import { allRunning, checkReallyRunning } from './lockstep-round.ts';

/** At a time. */
export const WIDTH = 8;
/** The distribution's configuration. */
export const STOCK = ['/usr/share/lxc/config/common.conf', '/usr/share/lxc/config/userns.conf'];
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

export interface Raw {
  readonly launchMs: number;
  readonly stopMs: number;
}

/** `count` instances of the daemon's image in its pool; the bridge of each by its index. */
export async function raw(
  host: TestHost,
  round: number,
  includes: readonly string[],
  count: number,
  bridge: (index: number) => string,
): Promise<Raw> {
  const pool = host.paths.pool('fast');
  const [image] = readdirSync(join(pool, 'images'));
  assert.ok(image, 'the image is unpacked in the pool');
  const lxcpath = join(host.root, `raw${round}-${includes.length}`);
  const volumes = join(pool, `raw${round}-${includes.length}`);
  mkdirSync(lxcpath, { mode: 0o711 });
  mkdirSync(volumes, { mode: 0o711 });
  const names = Array.from({ length: count }, (_, index) => `raw${index}`);
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
        `lxc.net.0.link = ${bridge(index)}`,
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
