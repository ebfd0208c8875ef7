import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../src/core/clock.ts';
import { AppError } from '../../../src/core/errors.ts';
import { SourceSet } from '../../../src/reconciler/source-set.ts';
import { ForgottenSource } from '../../../src/sources/forgotten.ts';
import type { Snapshot, Source } from '../../../src/sources/snapshot.ts';

class ScriptedSource implements Source {
  readonly name = 'main';
  readonly location = 'https://e.com/h.git';
  answer: Snapshot | AppError;
  refreshed = 0;

  constructor(answer: Snapshot | AppError) {
    this.answer = answer;
  }

  async read(): Promise<Snapshot> {
    if (this.answer instanceof AppError) throw this.answer;
    return this.answer;
  }

  async watch(): Promise<void> {}
  async refresh(): Promise<void> {
    this.refreshed += 1;
  }
  async close(): Promise<void> {}
}

function snapshot(more: Partial<Snapshot> = {}): Snapshot {
  return { source: 'main', revision: 'one', files: [], complete: true, since: 1, ...more };
}

function setOf(source: Source): { set: SourceSet; told: string[] } {
  const told: string[] = [];
  return {
    set: new SourceSet(
      [source],
      systemClock,
      { emit: (event) => void told.push(`${event.severity} ${event.message}`) },
      (row) => new ForgottenSource(row),
    ),
    told,
  };
}

const NEVER = new AbortController().signal;

test('a last good snapshot stays in force, with its problem shown and told once', async () => {
  const source = new ScriptedSource(snapshot());
  const { set, told } = setOf(source);
  assert.equal(await set.refresh(NEVER), true);
  source.answer = snapshot({ outdated: 'the remote is away' });
  set.markChanged();
  assert.equal(await set.refresh(NEVER), false, 'nothing is planned anew because of that');
  assert.equal(set.entries[0]?.error, 'the remote is away');
  assert.equal(set.inputs()[0]?.snapshot?.revision, 'one');
  set.markChanged();
  await set.refresh(NEVER);
  assert.equal(told.length, 1);
  source.answer = snapshot();
  set.markChanged();
  await set.refresh(NEVER);
  assert.equal(set.entries[0]?.error, undefined);
  assert.match(told[1] ?? '', /^info .*can be read again/);
});

test('a source that cannot be read says nothing about what it declares, and what to do is told', async () => {
  const source = new ScriptedSource(snapshot());
  const { set, told } = setOf(source);
  await set.refresh(NEVER);
  source.answer = new AppError('SOURCE_UNREADABLE', {}, { message: 'It is gone.', hint: 'Bring it back.' });
  set.markChanged();
  assert.equal(await set.refresh(NEVER), true);
  assert.equal(set.inputs()[0]?.snapshot, undefined);
  assert.match(told[0] ?? '', /It is gone\. Bring it back\./);
  source.answer = snapshot({ outdated: 'still not new' });
  set.markChanged();
  assert.equal(await set.refresh(NEVER), true, 'it can be read again');
  assert.equal(set.inputs()[0]?.snapshot?.revision, 'one');
});

test('a snapshot from the future, of before the clock was set back, settles all the same', async () => {
  const source = new ScriptedSource(snapshot({ since: Date.now() + 3_600_000 }));
  const { set } = setOf(source);
  await set.refresh(new AbortController().signal);
  const { since } = set.find('main')!.snapshot!;
  assert.ok(since <= Date.now());
  set.markChanged();
  await set.refresh(new AbortController().signal);
  assert.equal(set.find('main')!.snapshot!.since, since, 'and does not begin anew with each reading');
});

test('a source that never says that it is watched keeps nobody waiting', async () => {
  const source = new ScriptedSource(snapshot());
  source.watch = () => new Promise(() => {});
  const set = new SourceSet([source], systemClock, { emit: () => {} }, (row) => new ForgottenSource(row), 50);
  await set.watch(() => {});
});

test('a sync has only the named source look at its remote', async () => {
  const source = new ScriptedSource(snapshot());
  const { set } = setOf(source);
  await set.lookNow('other', NEVER);
  assert.equal(source.refreshed, 0);
  await set.lookNow(undefined, NEVER);
  await set.lookNow('main', NEVER);
  assert.equal(source.refreshed, 2);
});
