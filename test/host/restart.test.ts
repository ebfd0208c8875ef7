// Running containers never depend on the daemon's life: it is stopped, its program replaced, started again, and nobody in a container
// notices.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandSocket, parseListeners } from '../../src/host/lxc/monitor-sockets.ts';
import { findInit, guest, holdRequest, initPid, page, procFile } from './guest.ts';
import { needsRoot, slowness, startHost, type TestHost } from './harness.ts';
import { foundation, instances, subnetOf } from './manifests.ts';

const PROJECT = join(import.meta.dirname, '../..');

/** A copy of the program, as an installation is one; packages stay where they are. */
function installProgram(directory: string): void {
  for (const part of ['bin', 'src', 'package.json', 'native/build'])
    cpSync(join(PROJECT, part), join(directory, part), { recursive: true });
  symlinkSync(join(PROJECT, 'node_modules'), join(directory, 'node_modules'));
}

function served(name: string, address: string, text: string): string {
  return `apiVersion: lockstep/v1
kind: Instance
metadata: { name: ${name} }
spec:
  image: busybox
  config: { environment.WWW_PAGE: "${text}" }
  devices: { eth0: { type: nic, network: lan, ipv4.address: ${address} } }
---
`;
}

function dnsmasqPids(host: TestHost): string[] {
  return readdirSync('/proc').filter((pid) => {
    return /^\d+$/.test(pid) && procFile(pid, 'cmdline').startsWith('dnsmasq') && procFile(pid, 'cmdline').includes(host.paths.stateDir);
  });
}

function voluntarySwitches(pid: number): number {
  const counts = readdirSync(`/proc/${pid}/task`).map((task) => {
    return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(procFile(pid, `task/${task}/status`))?.[1] ?? 0);
  });
  return counts.reduce((sum, count) => sum + count, 0);
}

describe('the daemon is stopped and started again', { skip: needsRoot }, () => {
  test('with its program replaced: connections, reboots and leases go on without it', { timeout: 180_000 * slowness }, async (t) => {
    const program = mkdtempSync('/var/tmp/lockstep-program-');
    t.after(() => rmSync(program, { recursive: true, force: true }));
    installProgram(program);
    await using host = await startHost(t, { start: false, program });
    const subnet = subnetOf(host.prefix);
    const [web, boots] = [`${subnet}.10`, `${subnet}.11`];
    host.write('a.yaml', foundation(host.prefix) + served('web', web, 'still here') + served('boots', boots, 'back again'));
    await host.start();
    await host.waitReady();
    await host.eventually('both serve their page', async () => (await page(web)).length > 0 && (await page(boots)).length > 0);
    const [webInit, bootsInit] = [initPid(host, 'web'), initPid(host, 'boots')];
    const dnsmasq = dnsmasqPids(host);
    assert.equal(dnsmasq.length, 1);
    const connection = await holdRequest(web);

    assert.equal(await host.stop(), 0);
    rmSync(program, { recursive: true });
    connection.send('X-While: down');
    // busybox init reboots on SIGTERM; its monitor starts it again, without daemon and without program files.
    process.kill(bootsInit, 'SIGTERM');
    await host.eventually('it has rebooted', () => ![undefined, bootsInit].includes(findInit(host, 'boots')));
    const rebooted = initPid(host, 'boots');
    await host.eventually('it has its address again', async () => (await page(boots)).includes('back again'));

    installProgram(program);
    appendFileSync(join(program, 'src/main.ts'), '// the next version\n');
    await host.start();
    await host.waitReady();
    assert.equal(findInit(host, 'web'), webInit);
    assert.equal(findInit(host, 'boots'), rebooted);
    assert.deepEqual(dnsmasqPids(host), dnsmasq);
    const { stdout } = await host.lockstep('events', '-o', 'json');
    const started = stdout.split('\n').filter((line) => /\bstart, because/.test(line));
    assert.equal(started.length, 2, 'each was started once, by the first daemon');
    assert.match(await connection.finish(), /^HTTP\/1\.[01] 200 [\s\S]*still here/);
    assert.equal(await guest(host, 'boots', 'hostname'), 'boots', 'the new daemon works with what the old one has started');
  });

  test('while a monitor answers nothing yet: it is waited for, and the daemon starts', { timeout: 120_000 * slowness }, async (t) => {
    await using host = await startHost(t);
    host.write('a.yaml', foundation(host.prefix) + instances(1));
    await host.waitReady();
    await host.stop();
    const socket = commandSocket(host.paths.instances, 'c0');
    const listens = (): boolean => parseListeners(readFileSync('/proc/net/unix', 'utf8')).has(socket);
    process.kill(initPid(host, 'c0'), 'SIGKILL');
    await host.eventually('its monitor has ended', () => !listens());
    // One that has not made its init yet: it listens, and has no child.
    const monitor = spawn(process.execPath, ['-e', `require('net').createServer().listen('\\0' + ${JSON.stringify(socket)})`], {
      stdio: 'inherit',
    });
    t.after(() => monitor.kill('SIGKILL'));
    await host.eventually('another one listens', listens);

    await host.start();
    await host.eventually('it is seen starting', async () => {
      const { objects } = await host.status();
      return objects.some(({ ref, summary }) => ref.name === 'c0' && !summary.startsWith('Ready'));
    });
    monitor.kill('SIGKILL');
    await host.waitReady();
    assert.notEqual(findInit(host, 'c0'), undefined);
  });

  test('under 50 running instances: ready within a second, none touched, and then idle', { timeout: 240_000 * slowness }, async (t) => {
    await using host = await startHost(t, { start: false });
    const names = Array.from({ length: 50 }, (_, index) => `c${index}`);
    host.write('a.yaml', foundation(host.prefix) + instances(names.length));
    await host.start();
    await host.waitReady(120_000);
    const pids = names.map((name) => initPid(host, name));

    const times: number[] = [];
    // Work of others on the machine takes its share: a second on a machine of its own.
    const limitMs = 1000 * slowness * Math.max(1, loadavg()[0]! / availableParallelism());
    for (let round = 0; round < 3 && !times.some((ms) => ms < limitMs); round++) {
      await host.stop();
      const begun = performance.now();
      host.spawnDaemon();
      await host.eventually('it is ready', async () => (await host.get('/readyz')).status === 200);
      times.push(performance.now() - begun);
    }
    t.diagnostic(
      `/readyz with 50 running instances after ${times.map((ms) => ms.toFixed(0)).join(', ')} ms (limit ${limitMs.toFixed(0)} ms)`,
    );
    assert.ok(Math.min(...times) < limitMs, `${times.join(', ')} ms of ${limitMs} ms`);
    await host.waitReady();
    assert.deepEqual(
      names.map((name) => findInit(host, name)),
      pids,
    );

    // The first window may still hold what the start has left to tidy up.
    const rates: number[] = [];
    for (let window = 0; window < 3 && !rates.some((rate) => rate < 2); window++) {
      const before = voluntarySwitches(host.daemonPid);
      await sleep(10_000);
      rates.push((voluntarySwitches(host.daemonPid) - before) / 10);
    }
    t.diagnostic(`idle with 50 running instances: ${rates.join(', ')} voluntary context switches a second, all threads`);
    assert.ok(Math.min(...rates) < 2, `${rates.join(', ')} a second`);
  });
});
