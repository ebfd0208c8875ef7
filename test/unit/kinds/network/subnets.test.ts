import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AppError } from '../../../../src/core/errors.ts';
import { cidrsOverlap, parseIpv4Cidr } from '../../../../src/core/ip.ts';
import { freeSubnet, gatewayOf } from '../../../../src/kinds/network/subnets.ts';

describe('a free subnet', () => {
  test('is the same for the same facts and differs between networks', () => {
    assert.equal(freeSubnet('uid-1', []), freeSubnet('uid-1', []));
    assert.notEqual(freeSubnet('uid-1', []), freeSubnet('uid-2', []));
  });

  test('overlaps nothing that is taken, whatever its size', () => {
    const first = freeSubnet('uid-1', []);
    const wide = first.replace(/^(10\.\d+)\..*/, '$1.0.0/16');
    for (const taken of [first, first.replace('.0/24', '.77/32'), wide]) {
      const next = freeSubnet('uid-1', [taken]);
      const [a, b] = [parseIpv4Cidr(taken), parseIpv4Cidr(next)];
      assert.ok(a.ok && b.ok && !cidrsOverlap(a.value, b.value), `${taken} and ${next}`);
    }
  });

  test('does not mind the default route, IPv6 and foreign notations', () => {
    assert.equal(freeSubnet('uid-1', ['0.0.0.0/0', '::/0', 'fd00::/64', 'default']), freeSubnet('uid-1', []));
  });

  test('is refused when all of 10.0.0.0/8 is taken', () => {
    assert.throws(
      () => freeSubnet('uid-1', ['10.0.0.0/8']),
      (error: unknown) => error instanceof AppError && error.code === 'SUBNETS_EXHAUSTED',
    );
  });

  test('gives the bridge its first address', () => {
    assert.equal(gatewayOf('10.5.6.0/24'), '10.5.6.1/24');
  });
});
