import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAuditDetail } from '../../../src/core/audit-detail.ts';
import { silentLog } from '../../../src/core/log.ts';
import { type Refusal, Refusals } from '../../../src/reconciler/refusals.ts';
import { openLedger } from '../../../src/state/open.ts';

function refusals(windowMs?: number) {
  const ledger = openLedger(':memory:');
  const noted = new Refusals({
    add: (entry) => ledger.audit.add(entry),
    clock: { now: () => 5 },
    log: silentLog,
    ...(windowMs === undefined ? {} : { windowMs }),
  });
  const entries = () =>
    ledger.audit.latest(1000).map(({ actor, action, ref, detail }) => {
      const { summary, outcome } = parseAuditDetail(detail);
      return [actor, action, ref, outcome, summary];
    });
  return { noted, entries, ledger };
}

const WEB: Refusal = { actor: 'uid:1000', request: 'DELETE /v1/objects', ref: 'Instance/default/-/web', code: 'PROTECTED' };

test('a refusal is in the log at once, with who, what, about which object and why', () => {
  const { noted, entries, ledger } = refusals();
  noted.note(WEB);
  assert.deepEqual(entries(), [
    [
      'uid:1000',
      'refused',
      'Instance/default/-/web',
      'PROTECTED',
      'DELETE /v1/objects was refused: the object is protected against deletion',
    ],
  ]);
  assert.equal(ledger.audit.verify().broken, undefined);
});

test('the same one again is only counted, and told when the hour ends', () => {
  const { noted, entries } = refusals();
  for (let at = 0; at < 100; at++) noted.note(WEB);
  noted.note({ ...WEB, code: 'NOT_FOUND' });
  noted.note({ ...WEB, code: 'NOT_FOUND' });
  assert.equal(entries().length, 2);
  noted.flush();
  assert.deepEqual(
    entries()
      .slice(2)
      .map(([, , , outcome, summary]) => [outcome, summary]),
    [
      ['PROTECTED', 'DELETE /v1/objects was refused 99 more times within the hour'],
      ['NOT_FOUND', 'DELETE /v1/objects was refused once more within the hour'],
    ],
  );
  noted.flush();
  assert.equal(entries().length, 4, 'nothing is told twice');
  noted.note(WEB);
  assert.equal(entries().length, 5, 'a new hour');
});

test('a flood of different ones is told up to a bound, and the rest counted', () => {
  const { noted, entries } = refusals();
  for (let round = 0; round < 2; round++) for (let at = 0; at < 10_000; at++) noted.note({ ...WEB, actor: `address:192.0.2.${at}` });
  noted.flush();
  const all = entries();
  assert.equal(all.length, 41);
  assert.deepEqual(all.at(-1), [
    'several',
    'refused',
    '',
    'TOO_MANY_REQUESTS',
    '19960 other requests were refused within the hour, after 20 different ones',
  ]);
});

test('the hour ends by itself', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { noted, entries } = refusals();
  noted.note(WEB);
  noted.note(WEB);
  t.mock.timers.tick(3_599_999);
  assert.equal(entries().length, 1);
  t.mock.timers.tick(1);
  assert.equal(entries().length, 2);
});

test('a log that cannot be written fails nothing', () => {
  const noted = new Refusals({
    add: () => {
      throw new Error('disk full');
    },
    clock: { now: () => 5 },
    log: silentLog,
  });
  noted.note(WEB);
  noted.note(WEB);
  noted.flush();
});
