// The service as it is packaged, under the host's own systemd: the daemon comes and goes, containers and their connections stay.
// The units are installed below /run under names of this test, with the paths of this checkout.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { mustRun, run } from '../../src/host/run/run.ts';
import { findInit, guest, initPid, page, procFile } from './guest.ts';
import { needsRoot, slowness, startHost, type TestHost } from './harness.ts';
import { foundation, instance, subnetOf } from './manifests.ts';

const ROOT = join(import.meta.dirname, '../..');
const UNITS = '/run/systemd/system';
const TIMEOUT = 240_000 * slowness;

function skipReason(): string | false {
  if (needsRoot !== false) return needsRoot;
  // sd_booted(3)
  return existsSync(UNITS) ? false : 'the host was not booted with systemd';
}

/** The packaged units under names of their own. */
class Service {
  readonly daemon: string;
  readonly shutdown: string;
  readonly #host: TestHost;

  constructor(host: TestHost) {
    this.#host = host;
    this.daemon = `lockstep-test-${host.prefix}.service`;
    this.shutdown = `lockstep-test-${host.prefix}-shutdown.service`;
  }

  async install(): Promise<void> {
    const { prefix, paths, manifests, root } = this.#host;
    const config = join(root, 'lockstep.yaml');
    writeFileSync(config, `sources: ["main=${manifests}"]\nstateDir: ${paths.stateDir}\nrunDir: ${paths.runDir}\nprefix: ${prefix}\n`);
    const adapted = (file: string): string =>
      readFileSync(join(ROOT, 'packaging/systemd', file), 'utf8')
        .replaceAll('/opt/lockstep/bin/lockstepd --config /etc/lockstep/lockstep.yaml', `${ROOT}/bin/lockstepd --config ${config}`)
        .replaceAll('/opt/lockstep/bin/lockstep host-shutdown', `${ROOT}/bin/lockstep host-shutdown --socket ${paths.socket}`)
        .replace('RuntimeDirectory=lockstep\n', `RuntimeDirectory=lockstep-test-${prefix}\n`)
        .replace('After=lockstepd.service', `After=${this.daemon}`)
        .replace('TimeoutStartSec=5min', `TimeoutStartSec=${300 * slowness}`)
        .replace('TimeoutStopSec=30s', `TimeoutStopSec=${30 * slowness}`);
    writeFileSync(join(UNITS, this.daemon), adapted('lockstepd.service'));
    writeFileSync(join(UNITS, this.shutdown), adapted('lockstep-shutdown.service'));
    await mustRun(['systemctl', 'daemon-reload']);
  }

  async remove(): Promise<void> {
    // The containers are the harness's to remove; the daemon must not bring them back meanwhile.
    for (const unit of [this.daemon, this.shutdown]) {
      await run(['systemctl', 'kill', '--signal=SIGKILL', '--kill-whom=main', unit]);
      await run(['systemctl', 'stop', unit], { timeoutMs: 60_000 * slowness });
      rmSync(join(UNITS, unit), { force: true });
    }
    await run(['systemctl', 'daemon-reload']);
    await run(['systemctl', 'reset-failed', this.daemon, this.shutdown]);
    rmSync(`/run/lockstep-test-${this.#host.prefix}`, { recursive: true, force: true });
  }

  async systemctl(verb: string, unit = this.daemon): Promise<void> {
    await mustRun(['systemctl', verb, unit], { timeoutMs: 300_000 * slowness });
  }

  async show(property: string, unit = this.daemon): Promise<string> {
    const { stdout } = await mustRun(['systemctl', 'show', '--value', `--property=${property}`, unit]);
    return stdout.trim();
  }
}

async function installed(t: TestContext): Promise<{ host: TestHost; service: Service }> {
  const host = await startHost(t, { start: false });
  const service = new Service(host);
  // Runs before the harness removes what is on the host: hooks of a test run in the order they were added, so it goes by its own.
  const dispose = host[Symbol.asyncDispose].bind(host);
  host[Symbol.asyncDispose] = async () => {
    await service.remove();
    await dispose();
  };
  await service.install();
  return { host, service };
}

test(
  'the service starts when everything was looked at, and its containers do not depend on it',
  { skip: skipReason(), timeout: TIMEOUT },
  async (t) => {
    const { host, service } = await installed(t);
    const address = `${subnetOf(host.prefix)}.10`;
    host.write('a.yaml', foundation(host.prefix));
    const nic = `{ eth0: { type: nic, network: lan, ipv4.address: ${address} } }`;
    host.write('web.yaml', instance('web', `config: { environment.WWW_PAGE: hello }, devices: ${nic}`));

    await service.systemctl('start');
    assert.equal((await host.get('/readyz')).status, 200, 'Type=notify: it is started when it is ready');
    assert.equal(await service.show('ActiveState'), 'active');
    await host.waitReady();
    await host.eventually('the page is there', async () => (await page(address)).includes('hello'));
    const init = initPid(host, 'web');
    await guest(host, 'web', 'sh', '-c', 'nc -ll -p 7777 -e cat > /dev/null 2>&1 &');
    const held = await openEcho(t, host, address);

    await t.test('a restart of the service changes no init and breaks no connection', async () => {
      const before = await service.show('MainPID');
      await service.systemctl('restart');
      assert.notEqual(await service.show('MainPID'), before);
      assert.equal((await host.get('/readyz')).status, 200);
      assert.equal(findInit(host, 'web'), init);
      assert.equal(await held('after the restart'), 'after the restart');
    });

    await t.test('a daemon that is killed is started again by systemd, and nothing else happens', async () => {
      const before = Number(await service.show('MainPID'));
      process.kill(before, 'SIGKILL');
      await host.eventually('it is back', async () => {
        const now = Number(await service.show('MainPID'));
        return now !== before && now > 0 && (await host.get('/readyz')).status === 200;
      });
      assert.equal(await service.show('NRestarts'), '1');
      assert.equal(findInit(host, 'web'), init);
      assert.equal(await held('after the kill'), 'after the kill', 'the connection was up all the time');
    });

    await t.test('a stopped service leaves containers, and a guest reboots and gets its address back without it', async () => {
      // It waits inside for somebody to call, because nobody can start a command there without a daemon.
      await guest(host, 'web', 'sh', '-c', '(nc -l -p 7778 < /dev/null; reboot -f) > /dev/null 2>&1 &');
      await service.systemctl('stop');
      assert.equal(await service.show('ActiveState'), 'inactive');
      assert.equal(await service.show('Result'), 'success');
      assert.equal(findInit(host, 'web'), init);
      assert.match(await page(address), /hello/);
      assert.deepEqual(
        leftInUnit(service.daemon).filter((line) => !line.startsWith('dnsmasq ')),
        [],
        'monitors and guests are no part of the service',
      );

      createConnection({ host: address, port: 7778 })
        .on('error', () => undefined)
        .end();
      await host.eventually('it has rebooted', () => ![undefined, init].includes(findInit(host, 'web')));
      await host.eventually('it has its address again', async () => (await page(address)).includes('hello'));
      const after = initPid(host, 'web');
      await service.systemctl('start');
      await host.waitReady();
      assert.equal(findInit(host, 'web'), after, 'it is not started a second time');
      assert.equal((await host.dump()).filter((line) => line === 'process monitor web').length, 1);
    });
  },
);

test(
  'a shutdown of the host stops instances by priority, and they stay down until it is called off',
  { skip: skipReason(), timeout: TIMEOUT },
  async (t) => {
    const { host, service } = await installed(t);
    host.write('a.yaml', foundation(host.prefix, 'driver: dir'));
    host.write(
      'b.yaml',
      instance('late', 'config: { boot.stop.priority: "-1" }') +
        instance('first', 'config: { boot.stop.priority: "5" }, restart: { policy: Never }') +
        // Nothing in it answers the signal: it is killed when its time is up.
        instance('stuck', 'config: { boot.stop.priority: "2", boot.host_shutdown_timeout: "1" }, state: Frozen'),
    );
    await service.systemctl('start');
    await service.systemctl('start', service.shutdown);
    await host.waitReady();

    await service.systemctl('stop', service.shutdown);
    for (const name of ['first', 'stuck', 'late']) assert.equal(findInit(host, name), undefined, name);
    const { stdout } = await host.lockstep('events', '-o', 'json');
    const told = [...stdout.matchAll(/Container \\"(\w+)\\"/g)].map(([, name]) => name);
    assert.deepEqual(told, ['first', 'stuck', 'late'], stdout);

    await service.systemctl('restart');
    await host.sync();
    const status = await host.status();
    assert.equal(status.draining, true, 'also for a daemon that is started anew in the same boot');
    for (const name of ['first', 'stuck', 'late']) assert.equal(findInit(host, name), undefined, name);

    await service.systemctl('start', service.shutdown);
    await host.waitReady();
    for (const name of ['first', 'late']) assert.ok(findInit(host, name) !== undefined, `${name} runs again`);
  },
);

/** A connection that sends back what it is sent; opened once, so that it tells whether it stayed up. */
async function openEcho(t: TestContext, host: TestHost, address: string): Promise<(line: string) => Promise<string>> {
  let socket: Socket | undefined;
  await host.eventually('the guest listens', async () => {
    const attempt = createConnection({ host: address, port: 7777 });
    await once(attempt, 'connect');
    socket = attempt;
    return true;
  });
  assert.ok(socket);
  const connection = socket;
  t.after(() => connection.destroy());
  connection.setEncoding('utf8');
  let received = '';
  connection.on('data', (text: string) => (received += text));
  connection.on('error', (error) => (received += error.message));
  return async (line) => {
    received = '';
    connection.write(`${line}\n`);
    await host.eventually('the guest answers', () => received.includes('\n') || connection.destroyed);
    return received.trim();
  };
}

/** Command lines of the processes in the unit's control group. */
function leftInUnit(unit: string): string[] {
  const pids = ['/sys/fs/cgroup', '/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified']
    .map((top) => join(top, 'system.slice', unit, 'cgroup.procs'))
    .filter((file) => existsSync(file))
    .flatMap((file) => readFileSync(file, 'utf8').split('\n').filter(Boolean));
  return pids.map((pid) => procFile(pid, 'cmdline').replaceAll('\0', ' '));
}
