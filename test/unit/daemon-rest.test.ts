import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLog } from '../../src/core/log.ts';
import { giveBackMemory, restWhenQuiet } from '../../src/daemon-rest.ts';

const MIB = 2 ** 20;

class Fake {
  idle = true;
  resident = 100 * MIB;
  givenBack = 0;
  wake: () => void = () => {};
  readonly end: () => void;

  constructor(quietMs = 40) {
    this.end = restWhenQuiet({
      log: silentLog,
      reconciler: this.#reconciler(),
      residentBytes: () => this.resident,
      giveBack: () => {
        this.givenBack++;
        this.resident -= 30 * MIB;
      },
      quietMs,
    });
  }

  #reconciler(): { readonly idle: boolean; changed(): Promise<void> } {
    const isIdle = (): boolean => this.idle;
    return {
      get idle(): boolean {
        return isIdle();
      },
      changed: () =>
        new Promise<void>((resolve) => {
          this.wake = resolve;
        }),
    };
  }
}

test('memory is given back once nothing has changed for a while, and again only after it has grown', async (t) => {
  // Long next to what a busy machine adds to a pause of 20 ms.
  const fake = new Fake(400);
  t.after(() => fake.end());
  for (let at = 0; at < 30; at++) {
    await sleep(20);
    fake.wake();
  }
  assert.equal(fake.givenBack, 0, 'not while something happens');
  await sleep(900);
  assert.equal(fake.givenBack, 1);
  fake.wake();
  await sleep(900);
  assert.equal(fake.givenBack, 1, 'there is nothing to be given back');
  fake.resident += 20 * MIB;
  fake.wake();
  await sleep(900);
  assert.equal(fake.givenBack, 2);
});

test('where something happens all the time, in between', async (t) => {
  const fake = new Fake();
  t.after(() => fake.end());
  for (let at = 0; at < 30 && fake.givenBack === 0; at++) {
    await sleep(20);
    fake.wake();
  }
  assert.equal(fake.givenBack, 1);
});

test('not while work is under way, and not after its end', async () => {
  const fake = new Fake();
  fake.idle = false;
  await sleep(100);
  assert.equal(fake.givenBack, 0);
  fake.idle = true;
  fake.wake();
  fake.end();
  await sleep(100);
  assert.equal(fake.givenBack, 0);
});

test('the C heap is trimmed also where there is no gc()', () => {
  let trimmed = 0;
  giveBackMemory(() => trimmed++);
  assert.equal(trimmed, 1);
});
