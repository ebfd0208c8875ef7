// The network port against the real kernel, nft and dnsmasq: what is checked is read from outside (ip, nft, /proc, a guest's view).
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, afterEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, errorChain } from '../../src/core/errors.ts';
import { hashOf } from '../../src/core/hash.ts';
import { vethName } from '../../src/core/names.ts';
import type { DhcpSpec, FirewallSpec } from '../../src/host/ports/network.ts';
import { mustRun, run } from '../../src/host/run/run.ts';
import { NetworkWorld, spec as networkSpec } from '../unit/kinds/network/network-world.ts';
import { NetworkSandbox, type RealNetwork, requestLease, sweepNetworkTests } from './network-sandbox.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const signal = new AbortController().signal;

let box: NetworkSandbox;
let port: RealNetwork;

function dhcpSpec(changes: Partial<DhcpSpec> = {}): DhcpSpec {
  return {
    bridge: box.bridge,
    address: `${box.net}.1/24`,
    ranges: [{ first: `${box.net}.100`, last: `${box.net}.199` }],
    leaseSeconds: 3600,
    domain: 'lan.test',
    mtu: 1500,
    dhcp: true,
    dnsMode: 'managed',
    ...changes,
  };
}

function firewallSpec(changes: Partial<FirewallSpec> = {}): FirewallSpec {
  return { bridge: box.bridge, nat: [`${box.net}.0/24`], services: true, forward: true, ...changes };
}

async function addBridge(): Promise<void> {
  await port.addBridge(box.bridge, { mtu: 1500, hwaddr: '00:16:3e:7e:57:01', alias: 'lockstep:test:1' });
  await port.setAddresses(box.bridge, [`${box.net}.1/24`]);
  await port.setLink(box.bridge, { up: true });
}

async function server(): Promise<{ pid: number | undefined; specHash: string | undefined; running: boolean }> {
  const reading = (await port.dhcp()).get(box.bridge);
  return { pid: reading?.pid, specHash: reading?.specHash, running: reading?.running === true };
}

async function ruleTexts(): Promise<string> {
  return (await run(['nft', 'list', 'table', 'inet', `lockstep_${box.prefix}`])).stdout;
}

/** Waits for an event of the port; fails after 5 s. */
async function within<T>(event: Promise<T>, what: string): Promise<T> {
  const late = sleep(5000, undefined, { ref: false }).then(() => assert.fail(`${what} was not told`));
  return await Promise.race([event, late as Promise<T>]);
}

describe('the network of a real host', { skip }, () => {
  before(sweepNetworkTests);
  beforeEach(async () => {
    box = new NetworkSandbox();
    port = await box.open();
  });
  afterEach(async () => await box.clean());
  after(sweepNetworkTests);

  test('a bridge is made, read, changed and deleted as ip sees it', async () => {
    await addBridge();
    const [link] = JSON.parse((await mustRun(['ip', '-j', '-d', 'address', 'show', box.bridge])).stdout) as Record<string, unknown>[];
    assert.equal(link!['address'], '00:16:3e:7e:57:01');
    assert.equal(link!['ifalias'], 'lockstep:test:1');
    assert.deepEqual(
      (link!['addr_info'] as { local: string; family: string }[]).filter(({ family }) => family === 'inet').map(({ local }) => local),
      [`${box.net}.1`],
    );
    const reading = (await port.links()).links.get(box.bridge)!;
    assert.deepEqual([reading.type, reading.up, reading.mtu, reading.addresses.includes(`${box.net}.1/24`)], ['bridge', true, 1500, true]);
    assert.ok((await port.links()).routes.includes(`${box.net}.0/24`));
    await port.setLink(box.bridge, { mtu: 1400, hwaddr: '00:16:3e:7e:57:02' });
    assert.match((await mustRun(['ip', 'link', 'show', box.bridge])).stdout, /mtu 1400[^]*00:16:3e:7e:57:02/);
    await port.deleteLink(box.bridge);
    await port.deleteLink(box.bridge);
    assert.notEqual((await run(['ip', 'link', 'show', box.bridge])).code, 0);
  });

  test('a bridge keeps its MTU whatever its ports have', async () => {
    await addBridge();
    const port1 = `${box.prefix}-g`;
    await box.guest(port1, '00:16:3e:7e:57:12');
    await mustRun(['ip', 'link', 'set', port1, 'mtu', '1300']);
    await port.setLink(port1, { master: box.bridge });
    assert.equal((await port.links()).links.get(box.bridge)?.mtu, 1500);
  });

  test('addresses become exactly those asked for, secondaries of a deleted primary too', async () => {
    await addBridge();
    await mustRun(['ip', 'address', 'add', `${box.net}.2/24`, 'dev', box.bridge]);
    await port.setAddresses(box.bridge, [`${box.net}.2/24`]);
    const { stdout } = await mustRun(['ip', '-4', '-o', 'address', 'show', box.bridge]);
    assert.match(stdout, new RegExp(`inet ${box.net}.2/24`));
    assert.doesNotMatch(stdout, new RegExp(`inet ${box.net}.1/24`));
  });

  test('a link of the same name is refused, and a missing one is named', async () => {
    await addBridge();
    const isCode = (code: string) => (error: unknown) =>
      error instanceof AppError && error.code === code && error.message.includes(box.bridge);
    await assert.rejects(port.addBridge(box.bridge, {}), isCode('NETWORK_FOREIGN'));
    await port.deleteLink(box.bridge);
    await assert.rejects(port.setLink(box.bridge, { up: true }), isCode('NETWORK_MISSING'));
    await assert.rejects(port.setAddresses(box.bridge, []), isCode('NETWORK_MISSING'));
    await assert.rejects(port.startDhcp(dhcpSpec(), signal), isCode('NETWORK_MISSING'));
  });

  test('guests cannot give the host an address or a route by router advertisements', async () => {
    await addBridge();
    const setting = `/proc/sys/net/ipv6/conf/${box.bridge}/accept_ra`;
    if (existsSync(setting)) assert.equal(readFileSync(setting, 'utf8').trim(), '0');
  });

  test('changes from outside are told', async () => {
    await addBridge();
    const told = Promise.withResolvers<void>();
    port.onLinkChange((link) => link === box.bridge && told.resolve());
    await mustRun(['ip', 'link', 'set', box.bridge, 'down']);
    await within(told.promise, 'the link change');
    const rules = Promise.withResolvers<void>();
    port.onFirewallChange(() => rules.resolve());
    await mustRun(['nft', 'add', 'table', 'inet', `foreign_${box.prefix}`]);
    await within(rules.promise, 'the nftables change');
  });

  test('a guest gets its fixed address and its name is known, before its first lease too', async () => {
    await addBridge();
    await port.startDhcp(dhcpSpec(), signal);
    await port.setDhcpHost(box.bridge, 'uid-1.eth0', { hwaddr: '00:16:3e:7e:57:11', address: `${box.net}.10`, hostname: 'web' });
    const link = vethName(box.prefix, 'uid-1', 'eth0');
    const guest = await box.guest(link, '00:16:3e:7e:57:11');
    await port.setLink(link, { master: box.bridge });
    await guest.run(['ip', 'address', 'add', `${box.net}.77/24`, 'dev', 'eth0']);
    const early = await guest.run(['busybox', 'nslookup', 'web.lan.test', `${box.net}.1`]);
    assert.match(early.stdout, new RegExp(`Address[^\n]*${box.net}.10`), early.stdout + early.stderr);
    assert.equal(await requestLease(guest), `${box.net}.10`);
    const [lease] = (await port.dhcp()).get(box.bridge)!.leases;
    assert.deepEqual([lease?.hwaddr, lease?.address], ['00:16:3e:7e:57:11', `${box.net}.10`]);
  });

  test('a guest without a fixed address gets one of the ranges, and cannot take another’s name', async () => {
    await addBridge();
    await port.startDhcp(dhcpSpec(), signal);
    const guest = await box.guest(`${box.prefix}-g`, '00:16:3e:7e:57:12');
    await port.setLink(`${box.prefix}-g`, { master: box.bridge });
    const address = await requestLease(guest, '-x', 'hostname:thief');
    assert.match(address ?? '', new RegExp(`^${box.net}\\.1\\d\\d$`));
    await guest.run(['ip', 'address', 'add', `${address}/24`, 'dev', 'eth0']);
    const stolen = await guest.run(['busybox', 'nslookup', 'thief.lan.test', `${box.net}.1`]);
    assert.doesNotMatch(stolen.stdout, new RegExp(`${address}`));
  });

  test('the bridge’s own address is never given away, even when a range holds it', async () => {
    await addBridge();
    await port.startDhcp(dhcpSpec({ ranges: [{ first: `${box.net}.1`, last: `${box.net}.2` }] }), signal);
    const guest = await box.guest(`${box.prefix}-g`, '00:16:3e:7e:57:12');
    await port.setLink(`${box.prefix}-g`, { master: box.bridge });
    assert.equal(await requestLease(guest, '-r', `${box.net}.1`), `${box.net}.2`);
  });

  test('fifty hosts are told to the running server at once, without a process', async () => {
    await addBridge();
    await port.startDhcp(dhcpSpec(), signal);
    const { pid } = await server();
    const begun = performance.now();
    await Promise.all(
      Array.from({ length: 50 }, async (_, at) => {
        const hwaddr = `00:16:3e:7e:58:${(at + 16).toString(16)}`;
        await port.setDhcpHost(box.bridge, `uid-${at}.eth0`, { hwaddr, address: `${box.net}.${at + 10}`, hostname: `host${at}` });
      }),
    );
    assert.ok(performance.now() - begun < 250, `took ${performance.now() - begun} ms`);
    const guest = await box.guest(`${box.prefix}-g`, '00:16:3e:7e:58:41'); // that of host49
    await port.setLink(`${box.prefix}-g`, { master: box.bridge });
    assert.equal(await requestLease(guest), `${box.net}.59`);
    await port.removeDhcpHost(box.bridge, 'uid-49.eth0');
    await guest.run(['ip', 'address', 'add', `${box.net}.59/24`, 'dev', 'eth0']);
    const gone = await guest.run(['busybox', 'nslookup', 'host48.lan.test', `${box.net}.1`]);
    assert.match(gone.stdout, new RegExp(`${box.net}.58`));
    assert.equal((await port.dhcp()).get(box.bridge)!.hosts.size, 49);
    assert.equal((await server()).pid, pid);
  });

  test('a server outlives the daemon, is adopted, and is restarted only for another spec', async () => {
    await addBridge();
    await port.startDhcp(dhcpSpec(), signal);
    await port.setDhcpHost(box.bridge, 'uid-1.eth0', { hwaddr: '00:16:3e:7e:57:11', address: undefined, hostname: 'web' });
    const first = await server();
    assert.equal(first.specHash, hashOf(dhcpSpec()));
    const session = readFileSync(`/proc/${first.pid}/stat`, 'utf8').split(' ')[5];
    assert.notEqual(session, readFileSync(`/proc/${process.pid}/stat`, 'utf8').split(' ')[5]);
    await port.close();
    port = await box.open();
    assert.deepEqual(await server(), first);
    assert.equal((await port.dhcp()).get(box.bridge)!.hosts.get('uid-1.eth0')?.hostname, 'web');
    await port.startDhcp(dhcpSpec(), signal);
    assert.equal((await server()).pid, first.pid);
    await port.startDhcp(dhcpSpec({ leaseSeconds: 7200 }), signal);
    const second = await server();
    assert.notEqual(second.pid, first.pid);
    assert.equal(second.specHash, hashOf(dhcpSpec({ leaseSeconds: 7200 })));
  });

  test('a server whose daemon was killed before it noted the pid is adopted', async () => {
    await addBridge();
    await port.startDhcp(dhcpSpec(), signal);
    const first = await server();
    await port.close();
    const file = join(box.paths.network(box.bridge), 'dnsmasq.json');
    const { pid, startTicks, ...rest } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    assert.ok(pid === first.pid && typeof startTicks === 'number');
    writeFileSync(file, JSON.stringify(rest));
    port = await box.open();
    assert.deepEqual(await server(), first);
  });

  test('a server whose daemon was killed before either of them noted the pid is replaced', async () => {
    await addBridge();
    await port.startDhcp(dhcpSpec(), signal);
    const first = await server();
    await port.close();
    const directory = box.paths.network(box.bridge);
    const file = join(directory, 'dnsmasq.json');
    const { pid: _pid, startTicks: _ticks, ...rest } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    writeFileSync(file, JSON.stringify(rest));
    rmSync(join(directory, 'dnsmasq.pid'));
    writeFileSync(join(directory, 'dnsmasq.hosts.new'), 'half');
    port = await box.open();
    await port.startDhcp(dhcpSpec(), signal);
    assert.notEqual((await server()).pid, first.pid);
    const commandLine = existsSync(`/proc/${first.pid}`) ? readFileSync(`/proc/${first.pid}/cmdline`, 'utf8') : '';
    assert.equal(commandLine, '', 'the first one has ended');
    await port.stopDhcp(box.bridge, signal);
    assert.equal(existsSync(directory), false, 'nothing is left, not even half a file');
  });

  test('a process that is not the recorded one is neither adopted nor ended', async () => {
    await addBridge();
    await port.startDhcp(dhcpSpec(), signal);
    const first = await server();
    await port.close();
    const file = join(box.paths.network(box.bridge), 'dnsmasq.json');
    const record = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    writeFileSync(file, JSON.stringify({ ...record, pid: process.pid }));
    port = await box.open();
    assert.equal((await server()).running, false);
    await port.stopDhcp(box.bridge, signal);
    process.kill(first.pid!, 'SIGKILL');
  });

  test('a killed server is told at once and started again', async () => {
    await addBridge();
    await port.startDhcp(dhcpSpec(), signal);
    const first = await server();
    const told = Promise.withResolvers<string>();
    port.onDhcpExit((bridge) => told.resolve(bridge));
    process.kill(first.pid!, 'SIGKILL');
    assert.equal(await within(told.promise, 'the exit'), box.bridge);
    assert.equal((await server()).running, false);
    await port.startDhcp(dhcpSpec(), signal);
    assert.equal((await server()).running, true);
    await port.stopDhcp(box.bridge, signal);
    assert.equal((await port.dhcp()).has(box.bridge), false);
  });

  test('a server on a bridge that was made anew is told and restarted, and serves again', async () => {
    await addBridge();
    await port.startDhcp(dhcpSpec(), signal);
    const told = Promise.withResolvers<string>();
    port.onDhcpExit((bridge) => told.resolve(bridge));
    await mustRun(['ip', 'link', 'delete', box.bridge]);
    await within(told.promise, 'the lost bridge');
    await addBridge();
    assert.equal((await server()).specHash, undefined);
    await port.startDhcp(dhcpSpec(), signal);
    const guest = await box.guest(`${box.prefix}-g`, '00:16:3e:7e:57:12');
    await port.setLink(`${box.prefix}-g`, { master: box.bridge });
    assert.match((await requestLease(guest)) ?? '', new RegExp(`^${box.net}\\.1\\d\\d$`));
  });

  test('a server that cannot start says why', async () => {
    await addBridge();
    const other = createSocket('udp4');
    await new Promise<void>((resolve) => void other.bind(53, `${box.net}.1`, resolve));
    try {
      await assert.rejects(port.startDhcp(dhcpSpec(), signal), (error: unknown) => {
        const { messages, hint } = errorChain(error);
        assert.ok(error instanceof AppError && error.code === 'NETWORK_FAILED');
        assert.match(messages.join(' '), /Address already in use/);
        assert.match(hint ?? '', /ss -lunp/);
        return true;
      });
      assert.equal((await server()).running, false);
    } finally {
      other.close();
    }
    await port.startDhcp(dhcpSpec(), signal);
    assert.equal((await server()).running, true);
  });

  test('guests reach another network through NAT only while the rules are there', async () => {
    await addBridge();
    await port.enableForwarding('ipv4');
    assert.equal((await port.forwarding()).ipv4, true);
    const guest = await box.guest(`${box.prefix}-g`, '00:16:3e:7e:57:12');
    await port.setLink(`${box.prefix}-g`, { master: box.bridge });
    await guest.run(['ip', 'address', 'add', `${box.net}.20/24`, 'dev', 'eth0']);
    await guest.run(['ip', 'route', 'add', 'default', 'via', `${box.net}.1`]);
    // It knows no way back to the guest's subnet: only masqueraded packets are answered.
    const outside = await box.guest(`${box.prefix}-o`, '00:16:3e:7e:57:13');
    await mustRun(['ip', 'address', 'add', '198.18.77.1/30', 'dev', `${box.prefix}-o`]);
    await outside.run(['ip', 'address', 'add', '198.18.77.2/30', 'dev', 'eth0']);
    const ping = async (): Promise<number> => (await guest.run(['busybox', 'ping', '-c', '1', '-W', '1', '198.18.77.2'])).code;
    assert.notEqual(await ping(), 0);
    await port.setFirewall(firewallSpec());
    assert.equal(await ping(), 0);
    await port.clearFirewall(box.bridge);
    assert.equal(await ruleTexts(), '');
  });

  test('rules changed from outside are seen, also by the next daemon, and set right', async () => {
    const other = `${box.prefix}-two`;
    await port.setFirewall(firewallSpec());
    await port.setFirewall(firewallSpec({ bridge: other, nat: [] }));
    const before = await ruleTexts();
    const state = async (): Promise<unknown> => (await port.firewall()).networks.get(box.bridge);
    assert.deepEqual(await state(), { specHash: hashOf(firewallSpec()) });
    await port.close();
    port = await box.open();
    assert.deepEqual(await state(), { specHash: hashOf(firewallSpec()) });
    const table = ['inet', `lockstep_${box.prefix}`];
    for (const harm of [
      ['flush', 'chain', ...table, `nat.${box.bridge}`],
      ['insert', 'rule', ...table, `fwd.${box.bridge}`, 'drop'],
      ['chain', ...table, `in.${box.bridge}`, '{ policy drop; }'],
    ]) {
      await mustRun(['nft', ...harm]);
      assert.deepEqual(await state(), { changed: true }, harm.join(' '));
      assert.deepEqual((await port.firewall()).networks.get(other), { specHash: hashOf(firewallSpec({ bridge: other, nat: [] })) });
      await port.setFirewall(firewallSpec());
      assert.deepEqual(await state(), { specHash: hashOf(firewallSpec()) });
    }
    assert.equal(sorted(await ruleTexts()), sorted(before));
    assert.deepEqual([...(await port.presentRules([`${box.prefix}-none`, other, box.bridge]))], [other, box.bridge]);
    await mustRun(['nft', 'delete', 'table', ...table]);
    assert.equal(await state(), undefined);
    assert.deepEqual([...(await port.presentRules([other, box.bridge]))], []);
  });

  test('clearing one network leaves the other; a second clear is fine', async () => {
    const other = `${box.prefix}-two`;
    await port.setFirewall(firewallSpec());
    await port.setFirewall(firewallSpec({ bridge: other }));
    await port.clearFirewall(box.bridge);
    assert.doesNotMatch(await ruleTexts(), new RegExp(box.bridge));
    assert.match(await ruleTexts(), new RegExp(other));
    await port.clearFirewall(other);
    await port.clearFirewall(other);
    assert.equal(await ruleTexts(), '');
  });

  test('a drop by someone else is reported with a command that really mends it', async () => {
    await port.setFirewall(firewallSpec());
    const table = `foreign_${box.prefix}`;
    const rules = `table inet ${table} {
      chain FORWARD { type filter hook forward priority 0; policy accept
        iifname "${box.bridge}" drop
      }
    }
`;
    await mustRun(['nft', '-f', '-'], { input: rules });
    const [conflict, ...rest] = (await port.firewall()).conflicts.filter(({ message }) => message.includes(table));
    assert.equal(rest.length, 0);
    assert.equal(conflict?.bridge, box.bridge);
    const commands = conflict.hint.replace('Run: ', '').split(' && ');
    for (const command of commands) await mustRun(command.split(' '));
    assert.deepEqual(
      (await port.firewall()).conflicts.filter(({ message }) => message.includes(table)),
      [],
    );
  });

  test('the network kind converges on the real host, repairs every harm, and leaves nothing', async () => {
    const world = new NetworkWorld(port, box.prefix);
    const spec = networkSpec({ ipv4: { ...networkSpec().ipv4!, address: `${box.net}.1/24` } });
    await world.converge(spec);
    assert.deepEqual(await world.plan(spec), []);
    const veth = vethName(box.prefix, 'uid-1', 'eth0');
    await port.setDhcpHost(box.bridge, 'uid-1.eth0', { hwaddr: '00:16:3e:7e:57:11', address: undefined, hostname: 'web' });
    const guest = await box.guest(veth, '00:16:3e:7e:57:11');
    await port.setLink(veth, { master: box.bridge });
    const killServer = async (): Promise<void> => {
      process.kill((await server()).pid!, 'SIGKILL');
      while ((await server()).running) await sleep(5);
    };
    const harms: (() => Promise<unknown>)[] = [
      async () => await mustRun(['ip', 'link', 'set', box.bridge, 'down', 'mtu', '1300']),
      async () => await mustRun(['ip', 'address', 'flush', 'dev', box.bridge]),
      async () => await mustRun(['nft', 'delete', 'table', 'inet', `lockstep_${box.prefix}`]),
      killServer,
      async () => await mustRun(['ip', 'link', 'delete', box.bridge]),
    ];
    for (const [at, harm] of harms.entries()) {
      await harm();
      assert.notDeepEqual(await world.converge(spec), [], `harm ${at} was seen`);
      assert.deepEqual(await world.plan(spec), [], `harm ${at} was repaired`);
    }
    assert.match((await mustRun(['ip', 'link', 'show', veth])).stdout, new RegExp(`master ${box.bridge}`));
    assert.match((await requestLease(guest)) ?? '', new RegExp(`^${box.net}\\.`));

    await assert.rejects(world.converge(undefined), (error: unknown) => error instanceof AppError && error.code === 'NETWORK_IN_USE');
    await mustRun(['ip', 'link', 'delete', veth]);
    const { pid } = await server();
    await world.converge(undefined);
    assert.equal(existsSync(box.paths.network(box.bridge)), false);
    assert.equal(await ruleTexts(), '');
    assert.notEqual((await run(['ip', 'link', 'show', box.bridge])).code, 0);
    assert.ok(!existsSync(`/proc/${pid}/exe`) || !readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(box.bridge));
  });
});

function sorted(text: string): string {
  return text.split('\n').toSorted().join('\n');
}
