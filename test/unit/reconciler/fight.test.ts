import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { array, assert as check, integer, property } from 'fast-check';
import { FIGHT_WINDOW_MS, fightUntil, withRepair } from '../../../src/reconciler/fight.ts';

const MINUTE = 60_000;

describe('a fight', () => {
  test('three repairs in ten minutes are done; the fourth waits until ten minutes after the last', () => {
    assert.equal(fightUntil([], undefined, 0), undefined);
    assert.equal(fightUntil([1 * MINUTE, 2 * MINUTE], undefined, 3 * MINUTE), undefined);
    assert.equal(fightUntil([1 * MINUTE, 2 * MINUTE, 3 * MINUTE], undefined, 4 * MINUTE), 13 * MINUTE);
  });

  test('slow changes are no fight', () => {
    assert.equal(fightUntil([0, 6 * MINUTE, 9 * MINUTE], undefined, 11 * MINUTE), undefined);
  });

  test('it lasts as long as it was said to, although the first repairs leave the window meanwhile', () => {
    const repairs = [1 * MINUTE, 2 * MINUTE, 9 * MINUTE];
    const until = fightUntil(repairs, undefined, 10 * MINUTE);
    assert.equal(until, 19 * MINUTE);
    assert.equal(fightUntil(repairs, until, 15 * MINUTE), until);
    assert.equal(fightUntil(repairs, until, 19 * MINUTE), undefined);
  });

  test('a clock that was set back makes none', () => {
    assert.equal(fightUntil([100 * MINUTE, 101 * MINUTE, 102 * MINUTE], undefined, 5 * MINUTE), undefined);
    assert.equal(fightUntil([100 * MINUTE, 101 * MINUTE, 102 * MINUTE], 112 * MINUTE, 5 * MINUTE), undefined, 'nor one longer than it was');
  });

  test('whatever somebody does: never more than three repairs in ten minutes, and never left alone for longer than that', () => {
    check(
      property(array(integer({ min: 1, max: 4 * MINUTE }), { maxLength: 60 }), (gaps) => {
        let [now, held]: [number, number | undefined] = [0, undefined];
        let repairs: readonly number[] = [];
        const done: number[] = [];
        for (const gap of gaps) {
          now += gap;
          held = fightUntil(repairs, held, now);
          if (held !== undefined) {
            assert.ok(held - now <= FIGHT_WINDOW_MS);
            continue;
          }
          repairs = withRepair(repairs, now);
          done.push(now);
          assert.ok(done.filter((at) => now - at < FIGHT_WINDOW_MS).length <= 3);
        }
      }),
    );
  });
});
