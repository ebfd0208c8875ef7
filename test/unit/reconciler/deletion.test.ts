import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KindName, RefKey } from '../../../src/core/ref.ts';
import { type Candidate, decideDeletion, deletionLimit, type DeletionInput } from '../../../src/reconciler/deletion.ts';

const NOW = 1_000_000;

function candidates(count: number, kind: KindName = 'Instance', isProtected = false): Candidate[] {
  return Array.from({ length: count }, (_, index) => ({
    key: `${kind}/default/-/i${index}` as RefKey,
    kind,
    protected: isProtected,
  }));
}

function input(over: Partial<DeletionInput>): DeletionInput {
  return {
    source: 'dir',
    complete: true,
    since: NOW - 5000,
    candidates: [],
    total: 100,
    recent: [],
    confirmation: undefined,
    now: NOW,
    ...over,
  };
}

describe('the limit of a source', () => {
  test('is at least 3, 20 % of its objects, at most 20', () => {
    assert.deepEqual([0, 3, 15, 20, 50, 100, 1000].map(deletionLimit), [3, 3, 3, 4, 10, 20, 20]);
  });
});

describe('deletion', () => {
  test('asks in words that fit one object and many', () => {
    const reason = (over: Partial<DeletionInput>): string | undefined => decideDeletion(input(over)).ask?.reason;
    assert.equal(
      reason({ candidates: candidates(1), total: 1 }),
      'The source "dir" no longer declares anything: its last object would be deleted.',
    );
    assert.match(reason({ candidates: candidates(2), total: 2 })!, /: all 2 of its objects would be deleted\.$/);
    const recent = Array.from({ length: 20 }, () => NOW - 1);
    assert.match(
      reason({ candidates: candidates(1), recent })!,
      /^1 object of the source "dir" would be deleted, after 20 in the last 10 minutes; the limit/,
    );
    assert.match(
      reason({ candidates: candidates(1, 'Instance', true) })!,
      /^1 object that the source "dir" no longer declares is protected, and stays\.$/,
    );
    assert.match(reason({ candidates: candidates(2, 'Instance', true) })!, /^2 objects that .* are protected, and stay\.$/);
  });

  test('is allowed within the limit from a settled, complete snapshot', () => {
    const verdict = decideDeletion(input({ candidates: candidates(20) }));
    assert.equal(verdict.allowed.size, 20);
    assert.equal(verdict.ask, undefined);
  });

  test('over the limit nothing is deleted, and the whole list is asked for', () => {
    const verdict = decideDeletion(input({ candidates: candidates(21) }));
    assert.equal(verdict.allowed.size, 0);
    assert.equal(verdict.ask?.objects.length, 21);
    assert.equal(verdict.waits.size, 21);
  });

  test('counts what was deleted in the last ten minutes, and forgets it after that', () => {
    const recent = Array.from({ length: 15 }, () => NOW - 60_000);
    assert.equal(decideDeletion(input({ candidates: candidates(6), total: 85, recent })).allowed.size, 0);
    const old = recent.map(() => NOW - 601_000);
    assert.equal(decideDeletion(input({ candidates: candidates(6), total: 85, recent: old })).allowed.size, 6);
  });

  test('a source that became empty always asks, however small it was', () => {
    const verdict = decideDeletion(input({ candidates: candidates(1), total: 1 }));
    assert.equal(verdict.allowed.size, 0);
    assert.match(verdict.ask!.reason, /no longer declares anything/);
  });

  test('a confirmation holds for its list and for what is left of it, not for more', () => {
    const list = candidates(30);
    const { ask } = decideDeletion(input({ candidates: list }));
    const confirmation = { source: 'dir', ...ask!, askedAt: NOW, confirmedAt: NOW, confirmedBy: 'uid:0' };
    assert.equal(decideDeletion(input({ candidates: list, confirmation })).allowed.size, 30);
    assert.equal(decideDeletion(input({ candidates: list.slice(3), total: 97, confirmation })).allowed.size, 27);
    assert.equal(decideDeletion(input({ candidates: candidates(31), confirmation })).allowed.size, 0);
  });

  test('an asked but not confirmed list stays', () => {
    const list = candidates(30);
    const { ask } = decideDeletion(input({ candidates: list }));
    const confirmation = { source: 'dir', ...ask!, askedAt: NOW, confirmedAt: null, confirmedBy: null };
    assert.equal(decideDeletion(input({ candidates: list, confirmation })).allowed.size, 0);
  });

  test('waits until the snapshot was still for a second, and says when to look again', () => {
    const verdict = decideDeletion(input({ candidates: candidates(1), since: NOW - 400 }));
    assert.equal(verdict.allowed.size, 0);
    assert.equal(verdict.waits.get(candidates(1)[0]!.key)?.againAt, NOW + 600);
  });

  test('never follows from a snapshot that was not read completely', () => {
    const verdict = decideDeletion(input({ candidates: candidates(1), complete: false }));
    assert.equal(verdict.allowed.size, 0);
    assert.equal(verdict.ask, undefined);
  });

  test('leaves protected objects alone, also when confirmed, and deletes the others', () => {
    const kept = candidates(1, 'StorageVolume', true);
    const verdict = decideDeletion(input({ candidates: [...candidates(2), ...kept] }));
    assert.deepEqual([...verdict.allowed], ['Instance/default/-/i0', 'Instance/default/-/i1']);
    assert.match(verdict.waits.get(kept[0]!.key)!.waitsFor, /protection/);
  });

  test('profiles do not count against the limit', () => {
    assert.equal(decideDeletion(input({ candidates: candidates(40, 'Profile') })).allowed.size, 40);
  });

  test('objects deleted by name need neither settling nor budget', () => {
    const verdict = decideDeletion(input({ candidates: candidates(50), since: undefined, total: 50 }));
    assert.equal(verdict.allowed.size, 50);
  });
});
