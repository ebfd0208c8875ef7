import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AppError } from '../../../../src/core/errors.ts';
import { dnsmasqArguments, dnsmasqFiles } from '../../../../src/host/network/dnsmasq/arguments.ts';
import { checkHost, parseHosts, renderHosts, renderNames } from '../../../../src/host/network/dnsmasq/hosts-file.ts';
import { parseLeases } from '../../../../src/host/network/dnsmasq/leases.ts';
import type { DhcpHost, DhcpSpec } from '../../../../src/host/ports/network.ts';

const files = dnsmasqFiles('/state/networks/ls-lan');
const account = { user: 'dnsmasq', group: 'nogroup', gid: 65_534 };
const base: DhcpSpec = {
  bridge: 'ls-lan',
  address: '10.20.0.1/20',
  ranges: [{ first: '10.20.0.1', last: '10.20.15.254' }],
  leaseSeconds: 3600,
  domain: 'lan.example',
  mtu: 1500,
  dhcp: true,
  dnsMode: 'managed',
};

function argumentsFor(changes: Partial<DhcpSpec> = {}): string[] {
  return dnsmasqArguments({ ...base, ...changes }, files, account);
}

function refuses(work: () => unknown): void {
  assert.throws(work, (error: unknown) => error instanceof AppError && error.code === 'VALUE_INVALID');
}

describe('the command line of dnsmasq', () => {
  test('serves one bridge only and reads none of the host’s configuration', () => {
    const argv = argumentsFor();
    for (const one of ['--conf-file=/dev/null', '--no-hosts', '--interface=ls-lan', '--bind-interfaces', '--except-interface=lo']) {
      assert.ok(argv.includes(one), one);
    }
    assert.ok(argv.includes('--user=dnsmasq') && argv.includes('--group=nogroup'));
  });

  test('gives the whole range with the netmask and lease time, and room for as many leases', () => {
    const argv = argumentsFor();
    assert.ok(argv.includes('--dhcp-range=10.20.0.1,10.20.15.254,255.255.240.0,3600'));
    assert.ok(argv.includes('--dhcp-lease-max=4096'));
    assert.ok(argumentsFor({ leaseSeconds: Number.MAX_SAFE_INTEGER }).some((one) => one.endsWith(',infinite')));
  });

  test('keeps guests from taking names, unless the network says dynamic', () => {
    assert.ok(argumentsFor().includes('--dhcp-ignore-names'));
    assert.ok(!argumentsFor({ dnsMode: 'dynamic' }).includes('--dhcp-ignore-names'));
    assert.ok(!argumentsFor({ dnsMode: 'none' }).some((one) => one.startsWith('--domain') || one.startsWith('--addn-hosts')));
  });

  test('tells an MTU only when it is not the usual one', () => {
    assert.ok(argumentsFor({ mtu: 1400 }).includes('--dhcp-option-force=option:mtu,1400'));
    assert.ok(!argumentsFor().some((one) => one.includes('option:mtu')));
  });

  test('without DHCP serves names only', () => {
    const argv = argumentsFor({ dhcp: false, ranges: [] });
    assert.ok(!argv.some((one) => one.startsWith('--dhcp')));
    assert.ok(argv.includes('--addn-hosts=/state/networks/ls-lan/dnsmasq.names'));
  });

  test('refuses values that would be more than one item', () => {
    refuses(() => argumentsFor({ bridge: 'ls-lan,eth0' }));
    refuses(() => argumentsFor({ bridge: '-x' }));
    refuses(() => argumentsFor({ domain: 'lan/8.8.8.8' }));
    refuses(() => argumentsFor({ domain: 'lan\nserver=1.2.3.4' }));
    refuses(() => argumentsFor({ address: '10.20.0.1' }));
    refuses(() => argumentsFor({ ranges: [{ first: '10.20.0.1,set:x', last: '10.20.0.2' }] }));
  });
});

describe('static hosts', () => {
  const hosts = new Map<string, DhcpHost>([
    ['u1.eth0', { hwaddr: '00:16:3e:00:00:01', address: '10.20.0.10', hostname: 'web' }],
    ['u2.eth0', { hwaddr: '00:16:3e:00:00:02', address: undefined, hostname: 'db' }],
  ]);

  test('come back from the file as they were, with names or without', () => {
    assert.deepEqual(parseHosts(renderHosts(hosts, { withNames: true })), hosts);
    assert.deepEqual(parseHosts(renderHosts(hosts, { withNames: false })), hosts);
    assert.deepEqual(parseHosts('garbage\n# only two\n'), new Map());
  });

  test('are lines dnsmasq understands, and never a bare hardware address', () => {
    const lines = (withNames: boolean): string[] =>
      renderHosts(hosts, { withNames })
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'));
    assert.deepEqual(lines(true), ['00:16:3e:00:00:01,10.20.0.10,web', '00:16:3e:00:00:02,db']);
    assert.deepEqual(lines(false), ['00:16:3e:00:00:01,10.20.0.10']);
  });

  test('with an address have a name before their first lease', () => {
    assert.equal(renderNames(hosts), '10.20.0.10 web\n');
  });

  test('that would be another line or field are refused', () => {
    const good = { hwaddr: '00:16:3e:00:00:01', address: '10.20.0.10', hostname: 'web' };
    checkHost('u1.eth0', good);
    refuses(() => checkHost('u1 eth0', good));
    refuses(() => checkHost('u1\neth0', good));
    refuses(() => checkHost('u1.eth0', { ...good, hostname: 'web,set:known' }));
    refuses(() => checkHost('u1.eth0', { ...good, hostname: 'web\n00:16:3e:00:00:02,x' }));
    refuses(() => checkHost('u1.eth0', { ...good, address: '10.20.0.10,x' }));
    refuses(() => checkHost('u1.eth0', { ...good, hwaddr: '*' }));
  });
});

test('leases are read from complete IPv4 lines only', () => {
  const text = [
    '1763700000 00:16:3e:00:00:01 10.20.0.10 web 01:00:16:3e:00:00:01',
    '0 00:16:3e:00:00:02 10.20.0.11 * *',
    'duid 00:01:00:01:2e',
    '1763700000 00:16:3e:00:00:03 10.20',
    '',
  ].join('\n');
  assert.deepEqual(parseLeases(text), [
    { hwaddr: '00:16:3e:00:00:01', address: '10.20.0.10', hostname: 'web', expiresAt: 1_763_700_000_000 },
    { hwaddr: '00:16:3e:00:00:02', address: '10.20.0.11', hostname: '', expiresAt: 0 },
  ]);
});
