// Starts that fail by themselves, early and late: liblxc gives up half-way and leaves control groups, links or mounts. The error says what
// to do, nothing stays on the host between two tries, and nothing at all after the instance is deleted.
import assert from 'node:assert/strict';
import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { CrashBench } from './crash/bench.ts';
import { base } from './crash/paths.ts';
import { needsRoot, slowness } from './harness.ts';
import { instance } from './manifests.ts';

const PLAIN = 'root: { type: disk, path: /, pool: plain }';

interface Failing {
  readonly name: string;
  /** Of a start that cannot work; `root`: a directory of the test's. */
  readonly spec: (root: string) => string;
  /** Done to the root file system while it is stopped. */
  readonly spoil?: (rootfs: string) => void;
  readonly error: RegExp;
}

const FAILING: readonly Failing[] = [
  {
    name: 'without an init',
    spec: () => `devices: { ${PLAIN} }`,
    spoil: (rootfs) => rmSync(join(rootfs, 'sbin/init')),
    error: /^LXC_START_FAILED/,
  },
  {
    name: 'with an init that cannot be executed',
    spec: () => `devices: { ${PLAIN} }`,
    spoil: (rootfs) => {
      rmSync(join(rootfs, 'sbin/init'));
      symlinkSync('/etc', join(rootfs, 'sbin/init'));
    },
    error: /^LXC_START_FAILED/,
  },
  {
    name: 'with a directory mounted on a file',
    spec: (root) => `devices: { ${PLAIN}, data: { type: disk, source: ${root}, path: /etc/passwd } }`,
    error: /^LXC_START_FAILED/,
  },
  {
    name: 'with a limit that the kernel refuses',
    spec: () => `config: { limits.kernel.nofile: "2000000000" }, devices: { ${PLAIN} }`,
    error: /^LXC_START_FAILED/,
  },
];

describe('starts that fail', { skip: needsRoot }, () => {
  test('leave nothing behind', { timeout: 180_000 * slowness }, async (t) => {
    const bench = await CrashBench.open(t);
    const { host } = bench;
    // An instance that works, so that what an instance leaves anyway (its unpacked image) is there before.
    host.write('a.yaml', base(host.prefix) + instance('good', `devices: { ${PLAIN} }`));
    await bench.start();
    await bench.settled('the foundation');
    const before = await bench.check('the foundation');
    const volume = join(host.paths.pool('plain'), 'containers/bad/rootfs');
    for (const { name, spec, spoil, error } of FAILING) {
      await t.test(name, async () => {
        const declared = spec(host.manifests);
        if (spoil !== undefined) {
          host.write('b.yaml', instance('bad', `state: Stopped, ${declared}`));
          await bench.settled('it is made');
          spoil(volume);
        }
        host.write('b.yaml', instance('bad', declared));
        await host.sync();
        await host.eventually('it says why', async () => {
          const bad = (await host.status()).objects.find((object) => object.ref.name === 'bad');
          return error.test(`${bad?.error?.code} ${bad?.error?.message}`);
        });
        const { body } = await host.get('/v1/objects/Instance/default/-/bad');
        t.diagnostic(`${name}: ${(JSON.parse(body) as { status: { summary: string } }).status.summary}`);
        // Between two tries.
        await host.eventually('nothing of it runs', async () => {
          const dump = await host.dump();
          return (
            !dump.some((line) => /^process monitor bad|^cgroup .*\/bad\b/.test(line)) &&
            dump.filter((line) => line.startsWith(`link ${host.prefix}v`)).length === 1
          );
        });
        host.remove('b.yaml');
        await bench.settled('it is deleted');
        const after = await bench.check('it is deleted');
        assert.deepEqual(after.lines, before.lines, 'what is on the host');
      });
    }
  });
});
