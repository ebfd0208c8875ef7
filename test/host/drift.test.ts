// Drift: what somebody changes on the host behind the daemon's back. Each family of events is enough by itself, with nothing else to look
// again for an hour; and with none of them the regular look at everything finds all.
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, globSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cgroupDir, nftTable } from '../../src/core/names.ts';
import type { Condition } from '../../src/core/object-status.ts';
import { mustRun, run } from '../../src/host/run/run.ts';
import { findInit, initPid, procFile } from './guest.ts';
import { needsRoot, slowness, startHost, type TestHost } from './harness.ts';
import { foundation, instance } from './manifests.ts';

const TIMEOUT = 180_000 * slowness;
const REPAIRED_MS = 3000;
/** No look but those that events ask for. */
const RESYNC = ['--resync', '1h'];
const LIMITED = 'config: { limits.memory: 64MiB, limits.processes: "100" }';

/** A fact of the host, how somebody spoils it, and whether it is as it should be. */
interface Fact {
  readonly spoil: () => Promise<void> | void;
  readonly holds: () => Promise<boolean> | boolean;
  /** What was there does not come back: something takes its place, and only that holds. */
  readonly gone?: true;
}

function isMounted(path: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${path} `);
}

function dnsmasqPid(host: TestHost): number | undefined {
  const pids = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid));
  const found = pids.find(
    (pid) => procFile(pid, 'cmdline').startsWith('dnsmasq') && procFile(pid, 'cmdline').includes(host.paths.stateDir),
  );
  return found === undefined ? undefined : Number(found);
}

function knob(host: TestHost, name: string, ...files: readonly string[]): string {
  const [found] = files.flatMap((file) => globSync(`/sys/fs/cgroup/{.,*}/${cgroupDir(host.prefix, name)}/payload/${file}`));
  assert.ok(found, `${name} has one of ${files.join(', ')}`);
  return found;
}

async function rules(host: TestHost): Promise<string> {
  return (await run(['nft', 'list', 'table', 'inet', nftTable(host.prefix)])).stdout;
}

async function link(host: TestHost, ...show: string[]): Promise<string> {
  return (await run(['ip', 'link', 'show', ...show])).stdout.replaceAll(host.prefix, 'PREFIX');
}

/** As a file's content is now: somebody else's content takes its place. */
function file(path: string, spoil: (path: string) => void): Fact {
  const meant = readFileSync(path, 'utf8');
  return { spoil: () => spoil(path), holds: () => existsSync(path) && readFileSync(path, 'utf8') === meant };
}

function control(path: string, value: string): Fact {
  const meant = readFileSync(path, 'utf8');
  return { spoil: () => writeFileSync(path, value), holds: () => readFileSync(path, 'utf8') === meant };
}

type Facts = Readonly<Record<string, (host: TestHost) => Fact>>;

const FACTS: Readonly<Record<string, Facts>> = {
  processes: {
    'a killed init': (host) => {
      const pid = initPid(host, 'web');
      return { spoil: () => void process.kill(pid, 'SIGKILL'), holds: () => ![undefined, pid].includes(findInit(host, 'web')), gone: true };
    },
  },
  links: {
    'a deleted bridge': (host) => ({
      spoil: async () => void (await mustRun(['ip', 'link', 'delete', 'dev', `${host.prefix}-lan`])),
      holds: async () => /,UP/.test(await link(host, 'dev', `${host.prefix}-lan`)),
    }),
    'a changed MTU': (host) => ({
      spoil: async () => void (await mustRun(['ip', 'link', 'set', 'dev', `${host.prefix}-lan`, 'mtu', '1400'])),
      holds: async () => / mtu 1500 /.test(await link(host, 'dev', `${host.prefix}-lan`)),
    }),
    'a NIC taken out of its bridge': (host) => {
      const [port] = readdirSync(`/sys/class/net/${host.prefix}-lan/brif`);
      assert.ok(port, 'the bridge has a port');
      return {
        spoil: async () => void (await mustRun(['ip', 'link', 'set', 'dev', port, 'nomaster'])),
        holds: () => existsSync(`/sys/class/net/${host.prefix}-lan/brif/${port}`),
      };
    },
    'a deleted NIC': (host) => {
      const ports = readdirSync(`/sys/class/net/${host.prefix}-lan/brif`);
      assert.ok(ports[0], 'the bridge has a port');
      return {
        spoil: async () => void (await mustRun(['ip', 'link', 'delete', 'dev', ports[0]!])),
        holds: () => readdirSync(`/sys/class/net/${host.prefix}-lan/brif`).length === ports.length,
      };
    },
  },
  firewall: {
    'a flushed table': (host) => ({
      spoil: async () => void (await mustRun(['nft', 'flush', 'table', 'inet', nftTable(host.prefix)])),
      holds: async () => (await rules(host)).includes('masquerade'),
    }),
  },
  dhcp: {
    'a killed dnsmasq': (host) => {
      const pid = dnsmasqPid(host);
      assert.ok(pid !== undefined, 'dnsmasq runs');
      return { spoil: () => void process.kill(pid, 'SIGKILL'), holds: () => ![undefined, pid].includes(dnsmasqPid(host)), gone: true };
    },
  },
  files: {
    'a rewritten lxc config': (host) =>
      file(join(host.paths.instance('web'), 'config'), (path) => appendFileSync(path, 'lxc.hook.pre-start = /bin/false\n')),
    'a removed record': (host) => file(join(host.paths.instance('still'), 'instance.json'), (path) => rmSync(path)),
    'a removed list of static leases': (host) =>
      file(join(host.paths.network(`${host.prefix}-lan`), 'dnsmasq.hosts'), (path) => rmSync(path)),
  },
  mounts: {
    'an unmounted pool': (host) => ({
      // Lazily, because running instances hold it.
      spoil: async () => void (await mustRun(['umount', '--lazy', host.paths.pool('fast')])),
      holds: () => isMounted(host.paths.pool('fast')),
    }),
  },
  cgroups: {
    'a changed limit': (host) => control(knob(host, 'limited', 'memory.max', 'memory.limit_in_bytes'), String(48 * 1024 * 1024)),
    'another changed limit': (host) => control(knob(host, 'limited', 'pids.max'), '77'),
    'a frozen instance': (host) => {
      const path = knob(host, 'limited', 'freezer.state', 'cgroup.freeze');
      return control(path, path.endsWith('freezer.state') ? 'FROZEN' : '1');
    },
  },
};

/** What can be spoilt all at once. */
const TEN = [
  'a killed init',
  'a changed MTU',
  'a flushed table',
  'a killed dnsmasq',
  'a rewritten lxc config',
  'a removed record',
  'a removed list of static leases',
  'an unmounted pool',
  'a changed limit',
  'another changed limit',
] as const;

function world(host: TestHost): string {
  return foundation(host.prefix) + instance('web') + instance('limited', LIMITED) + instance('still', 'state: Stopped');
}

async function conditionOf(host: TestHost, name: string, type: string): Promise<Condition | undefined> {
  const { objects } = await host.status();
  return objects.find(({ ref }) => ref.name === name)?.conditions.find((one) => one.type === type);
}

/** Of the metric of repaired drift, all kinds together: how often, and for how many seconds. */
async function driftRepaired(host: TestHost): Promise<{ count: number; seconds: number }> {
  const { body } = await host.get('/metrics');
  const total = (suffix: string): number => {
    const lines = body.matchAll(new RegExp(`^lockstep_drift_duration_seconds_${suffix}\\{kind="\\w+"\\} (\\S+)$`, 'gm'));
    return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
  };
  return { count: total('count'), seconds: total('sum') };
}

describe('drift', { skip: needsRoot }, () => {
  test('each family of events by itself repairs what it tells of', { timeout: TIMEOUT }, async (t) => {
    await using host = await startHost(t, { start: false, flags: RESYNC });
    host.write('a.yaml', world(host));
    await host.start();
    await host.waitReady();
    for (const [family, facts] of Object.entries(FACTS)) {
      await host.stop();
      await host.start({ LOCKSTEP_EVENTS: `only:${family}` });
      await host.eventually('it has looked at everything', async () => (await host.status()).settled);
      for (const [what, make] of Object.entries(facts)) {
        await t.test(`${family}: ${what}`, async () => {
          const fact = make(host);
          assert.equal(await fact.holds(), fact.gone !== true, 'as it should be before');
          const before = await driftRepaired(host);
          await fact.spoil();
          await host.eventually('it is put right', () => fact.holds(), REPAIRED_MS);
          await host.eventually('all is Ready', async () => (await host.status()).settled);
          const after = await driftRepaired(host);
          assert.ok(after.count > before.count, 'it is measured');
          const seconds = after.seconds - before.seconds;
          assert.ok(seconds > 0 && seconds <= (REPAIRED_MS * slowness) / 1000, `${seconds} s`);
        });
      }
    }

    await t.test('without events nothing is seen, and one look at everything finds ten facts', async () => {
      await host.stop();
      await host.start({ LOCKSTEP_EVENTS: 'none' });
      await host.eventually('it has looked at everything', async () => (await host.status()).settled);
      const makers = Object.assign({}, ...Object.values(FACTS)) as Facts;
      const facts = TEN.map((what) => ({ what, ...makers[what]!(host) }));
      for (const { spoil } of facts) await spoil();
      await sleep(1000);
      for (const { what, holds } of facts) assert.equal(await holds(), false, `${what} is not seen`);
      await host.sync();
      for (const { what, holds } of facts) await host.eventually(`${what} is put right`, holds, 10_000);
    });

    await t.test('and the interval comes by itself', async () => {
      await host.stop();
      host.spawnDaemon({ LOCKSTEP_EVENTS: 'none' }, ['--resync', '2s']);
      await host.eventually('it has looked at everything', async () => (await host.status()).settled);
      const fact = FACTS['processes']!['a killed init']!(host);
      await fact.spoil();
      await host.eventually('it runs again', () => fact.holds(), 5000);
    });
  });

  test('is only reported where that is declared; a fight is stopped and told', { timeout: TIMEOUT }, async (t) => {
    await using host = await startHost(t, { start: false, flags: RESYNC });
    const limited = (more = ''): string => instance('limited', `${LIMITED.replace(' }', `${more} }`)}, drift: report`);
    host.write('a.yaml', foundation(host.prefix) + instance('fought', LIMITED));
    host.write('b.yaml', limited());
    await host.start();
    await host.waitReady();

    await t.test('report', async () => {
      const path = knob(host, 'limited', 'pids.max');
      writeFileSync(path, '50');
      await host.eventually('it is reported', async () => (await conditionOf(host, 'limited', 'Drifted'))?.status === 'True', 1000);
      assert.match((await conditionOf(host, 'limited', 'Drifted'))!.message, /^Pids\.max is 50 instead of 100\. It is only reported\.$/);
      await host.sync();
      assert.equal(readFileSync(path, 'utf8'), '50\n');
      // A look that something else has asked for may be under way.
      await host.eventually('it works, and nothing is planned', async () => (await host.status()).settled);
      assert.equal(readFileSync(path, 'utf8'), '50\n');
      assert.match((await host.lockstep('status')).stdout, /limited.*drifted.*pids\.max is 50/i);
      host.write('b.yaml', limited(', limits.cpu.priority: "5"'));
      await host.eventually('a change of its manifest is applied', () => readFileSync(path, 'utf8') === '100\n');
      await host.eventually('and ends the drift', async () => (await conditionOf(host, 'limited', 'Drifted'))?.status === 'False');
    });

    await t.test('fight', async () => {
      const path = knob(host, 'fought', 'pids.max');
      for (let flip = 1; flip <= 3; flip++) {
        writeFileSync(path, '50');
        await host.eventually(`repair ${flip}`, () => readFileSync(path, 'utf8') === '100\n', REPAIRED_MS);
        await host.eventually('it is Ready', async () => (await host.status()).settled);
      }
      writeFileSync(path, '50');
      await host.eventually('the fight is told', async () => (await conditionOf(host, 'fought', 'Stalled'))?.reason === 'Fight', 1000);
      await host.restart();
      await host.eventually('it is known after a restart', async () => (await conditionOf(host, 'fought', 'Stalled'))?.reason === 'Fight');
      assert.equal(readFileSync(path, 'utf8'), '50\n');
      assert.equal((await host.lockstep('sync', 'Instance/fought')).code, 0);
      await host.eventually('asked to, it begins anew', () => readFileSync(path, 'utf8') === '100\n', REPAIRED_MS);
      const told = (await host.lockstep('events', '-o', 'json')).stdout;
      assert.equal(told.split('FightDetected').length - 1, 2, 'once by each daemon');
      assert.match(
        told,
        /something outside of Lockstep keeps changing what source \\"main\\" \([^)]*a\.yaml:\d+\) declares: pids\.max is 50 instead of 100/,
      );
    });
  });
});
