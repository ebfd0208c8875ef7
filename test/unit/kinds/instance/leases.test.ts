import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leasedAddress, staticLeases } from '../../../../src/kinds/instance/leases.ts';
import type { DhcpHost, DhcpReading } from '../../../../src/host/ports/network.ts';

function reading(bridge: string, hosts: Record<string, DhcpHost>, leases: readonly [hwaddr: string, address: string][]): DhcpReading {
  return {
    bridge,
    pid: 1,
    running: true,
    specHash: undefined,
    hosts: new Map(Object.entries(hosts)),
    hostsIntact: true,
    leases: leases.map(([hwaddr, address]) => ({ hwaddr, address, hostname: '', expiresAt: 0 })),
  };
}

const host = (hwaddr: string): DhcpHost => ({ hwaddr, address: undefined, hostname: 'web' });

test('static leases are those of the uid, on whichever network, and of no uid that begins like it', () => {
  const dhcp = new Map([
    ['a', reading('a', { 'u1.eth0': host('1'), 'u10.eth0': host('2'), 'u1.eth1': host('3') }, [])],
    ['b', reading('b', { 'u1.eth2': host('4'), u1: host('5') }, [])],
  ]);
  assert.deepEqual(
    staticLeases('u1', dhcp).map(({ bridge, key, host: { hwaddr } }) => `${bridge} ${key} ${hwaddr}`),
    ['a u1.eth0 1', 'a u1.eth1 3', 'b u1.eth2 4'],
  );
  assert.deepEqual(staticLeases('u2', dhcp), []);
});

test('a leased address is found whatever the case of the letters; of two the first counts', () => {
  const one = reading('a', {}, [
    ['00:16:3E:00:00:0A', '10.0.0.1'],
    ['00:16:3e:00:00:0a', '10.0.0.2'],
  ]);
  assert.equal(leasedAddress('00:16:3e:00:00:0a', one), '10.0.0.1');
  assert.equal(leasedAddress('00:16:3e:00:00:0b', one), undefined);
});

test('a new reading is another index', () => {
  const before = reading('a', {}, [['00:16:3e:00:00:0a', '10.0.0.1']]);
  assert.equal(leasedAddress('00:16:3e:00:00:0a', before), '10.0.0.1');
  assert.equal(leasedAddress('00:16:3e:00:00:0a', { ...before, leases: [] }), undefined);
});
