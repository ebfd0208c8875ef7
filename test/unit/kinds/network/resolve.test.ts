import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeRef, refKey } from '../../../../src/core/ref.ts';
import { resolve } from '../../../../src/kinds/network/resolve.ts';
import type { NetworkSpec } from '../../../../src/kinds/network/spec.ts';
import type { ManifestDocument } from '../../../../src/schemas/document.ts';

function document(config: Record<string, string> | undefined): ManifestDocument {
  const position = { file: 'net.yaml', line: 7, column: 3, endLine: 7, endColumn: 9 };
  return {
    apiVersion: 'lockstep/v1',
    kind: 'Network',
    ref: makeRef('Network', 'lan'),
    key: refKey(makeRef('Network', 'lan')),
    metadata: { name: 'lan' },
    spec: config === undefined ? {} : { type: 'bridge', config },
    origin: { source: 'test', ...position },
    locate: () => position,
  };
}

function specOf(config?: Record<string, string>): NetworkSpec {
  const { spec, problems } = resolve(document(config));
  assert.deepEqual(problems, []);
  assert.ok(spec);
  return spec;
}

describe('resolving a network', () => {
  test('nothing said: a subnet is picked, with NAT, DHCP, names and firewall rules', () => {
    assert.deepEqual(specOf(), {
      type: 'bridge',
      ipv4: { address: 'auto', nat: true, dhcp: true, ranges: [], leaseSeconds: 3600, firewall: true },
      dns: { mode: 'managed', domain: 'lxd' },
      mtu: 1500,
      hwaddr: undefined,
      dhcp4: true,
    });
  });

  test('NAT is on by itself only where the subnet is picked, as in LXD', () => {
    assert.equal(specOf({ 'ipv4.address': 'auto' }).ipv4?.nat, true);
    assert.equal(specOf({ 'ipv4.address': '10.20.0.1/24' }).ipv4?.nat, false);
    assert.equal(specOf({ 'ipv4.address': '10.20.0.1/24', 'ipv4.nat': '' }).ipv4?.nat, false);
    assert.equal(specOf({ 'ipv4.nat': 'false' }).ipv4?.nat, false);
  });

  test('every key becomes its typed value', () => {
    const spec = specOf({
      'ipv4.address': '10.20.0.1/16',
      'ipv4.nat': 'true',
      'ipv4.dhcp': 'true',
      'ipv4.dhcp.ranges': '10.20.1.1-10.20.1.9, 10.20.2.1-10.20.2.9',
      'ipv4.dhcp.expiry': '12h',
      'ipv4.firewall': 'false',
      'dns.mode': 'none',
      'dns.domain': 'lan.example',
      'bridge.mtu': '1400',
      'bridge.hwaddr': '00:16:3E:00:00:01',
      'ipv6.address': 'none',
      'user.team': 'a',
    });
    assert.deepEqual(spec, {
      type: 'bridge',
      ipv4: {
        address: '10.20.0.1/16',
        nat: true,
        dhcp: true,
        ranges: [
          { first: '10.20.1.1', last: '10.20.1.9' },
          { first: '10.20.2.1', last: '10.20.2.9' },
        ],
        leaseSeconds: 43_200,
        firewall: false,
      },
      dns: { mode: 'none', domain: 'lan.example' },
      mtu: 1400,
      hwaddr: '00:16:3e:00:00:01',
      dhcp4: true,
    });
  });

  test('no address: no IPv4 at all, and no leases', () => {
    const spec = specOf({ 'ipv4.address': 'none' });
    assert.deepEqual([spec.ipv4, spec.dhcp4], [undefined, false]);
    assert.equal(specOf({ 'ipv4.dhcp': 'false' }).dhcp4, false);
  });

  test('leases may never end', () => {
    assert.equal(specOf({ 'ipv4.dhcp.expiry': 'infinite' }).ipv4?.leaseSeconds, Number.MAX_SAFE_INTEGER);
  });

  test('a range outside the subnet, or without a known subnet, is a located problem', () => {
    for (const address of ['10.20.0.1/24', 'auto']) {
      const { spec, problems } = resolve(document({ 'ipv4.address': address, 'ipv4.dhcp.ranges': '10.20.0.250-10.20.1.9' }));
      assert.equal(spec, undefined);
      const [problem] = problems;
      assert.deepEqual([problem?.rule, problem?.line, problem?.field], ['dhcp-range', 7, 'spec.config.ipv4.dhcp.ranges']);
    }
  });

  test('a value that was not validated is a problem, not an exception', () => {
    const { spec, problems } = resolve(document({ 'bridge.mtu': 'huge' }));
    assert.equal(spec, undefined);
    assert.match(problems[0]!.message, /bridge\.mtu/);
  });
});
