import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cause } from '../../../src/core/cause.ts';
import { GatheredCauses } from '../../../src/host/gathered-causes.ts';

test('a swarm of causes is told once, some time after the first of them, each of its kind once', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const told: Cause[] = [];
  const gathered = new GatheredCauses(100, (cause) => told.push(cause));
  for (let at = 0; at < 50; at++) {
    gathered.add({ event: 'LinkChanged', about: 'br0' });
    gathered.add({ event: 'FilesChanged', about: 'br0' });
    t.mock.timers.tick(1);
  }
  assert.deepEqual(told, []);
  t.mock.timers.tick(50);
  assert.deepEqual(told, [
    { event: 'LinkChanged', about: 'br0' },
    { event: 'FilesChanged', about: 'br0' },
  ]);
  t.mock.timers.tick(1000);
  assert.equal(told.length, 2);
  gathered.add({ event: 'DhcpEnded' });
  t.mock.timers.tick(100);
  assert.deepEqual(told.at(-1), { event: 'DhcpEnded' });
});

test('what was gathered when it is closed is not told', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const gathered = new GatheredCauses(100, () => assert.fail('told'));
  gathered.add({ event: 'DhcpEnded' });
  gathered.close();
  t.mock.timers.tick(1000);
});
