import assert from 'node:assert/strict';
import { test } from 'node:test';
import { render, type Target } from '../../../../src/kinds/instance/render.ts';
import { renderedBefore } from '../../../../src/kinds/instance/rendered-before.ts';
import { Bench, manifest } from './fixture.ts';

const NOTHING = { config: undefined, record: undefined };

/** As the kind plans it. */
async function planned(): Promise<Target> {
  const bench = new Bench();
  bench.declare(manifest(''));
  const create = (await bench.plan()).find(({ change }) => change.do === 'create')?.change;
  assert.ok(create?.do === 'create' && create.target !== undefined);
  return create.target;
}

test('the same target is rendered once, also when it was put together again', async () => {
  const target = await planned();
  const first = renderedBefore(target, new Map(), NOTHING);
  assert.deepEqual(first, render(target, new Map()));
  assert.equal(renderedBefore({ ...target, allocations: { ...target.allocations } }, new Map(), NOTHING), first);
});

test('whatever member of the target differs, it is rendered anew', async () => {
  const target = await planned();
  for (const key of Object.keys(target) as (keyof Target)[]) {
    if (key === 'spec' || key === 'host') continue;
    const first = renderedBefore(target, new Map(), NOTHING);
    const other = { ...target, [key]: typeof target[key] === 'object' ? { ...target[key], changed: 'x' } : key === 'idBase' ? 7 : 'x' };
    assert.notEqual(renderedBefore(other, new Map(), NOTHING), first, key);
  }
  const first = renderedBefore(target, new Map(), NOTHING);
  assert.notEqual(renderedBefore({ ...target, host: { ...target.host, lxcfs: '/lxcfs' } }, new Map(), NOTHING), first);
  assert.notEqual(renderedBefore(target, new Map([['/dev/null', { is: 'missing' }]]), NOTHING), first);
  assert.notEqual(renderedBefore({ ...target, spec: { ...target.spec } }, new Map(), NOTHING), first);
});

test('what cannot be rendered is not remembered', async () => {
  const target = await planned();
  const broken = { ...target, dir: '/state\n' };
  for (let round = 0; round < 2; round++) assert.throws(() => renderedBefore(broken, new Map(), NOTHING), { code: 'VALUE_INVALID' });
  assert.deepEqual(renderedBefore(target, new Map(), NOTHING), render(target, new Map()));
});
