import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  cidrHolds,
  cidrsOverlap,
  formatIpv4Cidr,
  ipv4ToNumber,
  numberToIpv4,
  parseIpv4,
  parseIpv4Cidr,
  parseIpv4Range,
  parseIpv6Cidr,
  parseMac,
  subnetOf,
} from '../../../src/core/ip.ts';

const address = fc.nat({ max: 0xffff_ffff });

function cidr(text: string): Parameters<typeof subnetOf>[0] {
  const result = parseIpv4Cidr(text);
  assert.ok(result.ok, text);
  return result.value;
}

test('an address as a number and back is the same', () => {
  fc.assert(fc.property(address, (value) => assert.equal(ipv4ToNumber(numberToIpv4(value)), value)));
});

test('refuses addresses that programs read differently', () => {
  for (const text of ['010.0.0.1', '1.2.3', '1.2.3.4.5', '256.0.0.1', '1.2.3.-4', '1.2.3.4 ', '0x1.2.3.4', ''])
    assert.equal(parseIpv4(text).ok, false, text);
});

test('knows the bounds of a subnet', () => {
  const subnet = cidr('10.20.0.129/25');
  assert.equal(subnetOf(subnet), '10.20.0.128/25');
  assert.equal(formatIpv4Cidr(subnet), '10.20.0.129/25');
  assert.equal(cidrHolds(subnet, '10.20.0.255'), true);
  assert.equal(cidrHolds(subnet, '10.20.0.127'), false);
  assert.equal(cidrHolds(cidr('0.0.0.0/0'), '255.255.255.255'), true);
});

test('subnets overlap exactly when they share an address', () => {
  fc.assert(
    fc.property(address, fc.integer({ min: 0, max: 32 }), address, fc.integer({ min: 0, max: 32 }), (a, p, b, q) => {
      const one = cidr(`${numberToIpv4(a)}/${p}`);
      const two = cidr(`${numberToIpv4(b)}/${q}`);
      const shares = cidrHolds(one, numberToIpv4(two.first)) || cidrHolds(two, numberToIpv4(one.first));
      assert.equal(cidrsOverlap(one, two), shares);
    }),
  );
});

test('refuses prefixes and ranges that are none', () => {
  for (const text of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/', '/24', '10.0.0.0/2 4', '10.0.0.0/-1'])
    assert.equal(parseIpv4Cidr(text).ok, false, text);
  for (const text of ['10.0.0.9-10.0.0.1', '10.0.0.1', '10.0.0.1-', '10.0.0.1-10.0.0.2-10.0.0.3'])
    assert.equal(parseIpv4Range(text).ok, false, text);
  for (const text of ['fd42::1', 'fd42::1/129', '10.0.0.1/24', 'fe80::1%eth0/64']) assert.equal(parseIpv6Cidr(text).ok, false, text);
});

test('a MAC address is taken in lower case, and group addresses are refused', () => {
  assert.deepEqual(parseMac('00:16:3E:AA:bb:01'), { ok: true, value: '00:16:3e:aa:bb:01' });
  for (const text of ['01:16:3e:aa:bb:01', '00:00:00:00:00:00', '00-16-3e-aa-bb-01', '00:16:3e:aa:bb', ''])
    assert.equal(parseMac(text).ok, false, text);
});
