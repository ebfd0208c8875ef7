// Drift: what somebody changes on the host behind the daemon's back. Each family of events is enough by itself, with nothing else to look
// again for an hour; and with none of them the regular look at everything finds all.
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, globSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { cgroupDir, nftTable } from '../../src/core/names.ts';
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
    'a frozen instance': (host) => {
      const path = knob(host, 'web', 'freezer.state', 'cgroup.freeze');
      return control(path, path.endsWith('freezer.state') ? 'FROZEN' : '1');
    },
  },
};

describe('drift', { skip: needsRoot }, () => {
  test('each family of events by itself repairs what it tells of', { timeout: TIMEOUT }, async (t) => {
    await using host = await startHost(t, { start: false, flags: RESYNC });
    host.write('a.yaml', foundation(host.prefix) + instance('web') + instance('limited', LIMITED) + instance('still', 'state: Stopped'));
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
          await fact.spoil();
          await host.eventually('it is put right', () => fact.holds(), REPAIRED_MS);
          await host.eventually('all is Ready', async () => (await host.status()).settled);
        });
      }
    }
  });
});
