// What one event costs the engine, with 100, 1,000 and 10,000 objects of which one has changed: looking at it, planning, and the round
// around that. The engine is the real one; host and kinds are in memory, so that only its own work is measured. Needs no root.
//   node bench/events.ts [count...]      default: 100 1000 10000
// Limit: an event costs at most twice as much with the most objects as with the fewest.
import { setTimeout as sleep } from 'node:timers/promises';
import type { RefKey } from '../src/core/ref.ts';
import { Engine, IMAGE, instance, POOL } from '../test/fakes/engine.ts';
import { machine } from './machine.ts';

const EVENTS = 400;

/** CPU microseconds of one event. */
async function costOfAnEvent(count: number): Promise<{ startMs: number; eventUs: number }> {
  const engine = new Engine();
  engine.source.files.set('base.yaml', POOL + IMAGE);
  for (let at = 0; at < count; at++) engine.source.files.set(`i${at}.yaml`, instance(`i${at}`));
  const began = performance.now();
  await engine.reconciler.start();
  while (!engine.reconciler.idle) await sleep(20);
  if (!engine.ready(`Instance/default/-/i${count - 1}`)) throw new Error('not all is there');
  const startMs = performance.now() - began;
  const event = async (at: number): Promise<void> => {
    engine.reconciler.look(`Instance/default/-/i${at % count}` as RefKey);
    do await engine.reconciler.changed();
    while (!engine.reconciler.idle);
  };
  for (let at = 0; at < EVENTS; at++) await event(at);
  const costs: number[] = [];
  for (let at = 0; at < EVENTS; at++) {
    const before = process.cpuUsage();
    await event(at * 7);
    const { user, system } = process.cpuUsage(before);
    costs.push(user + system);
  }
  await engine.reconciler.close();
  return { startMs, eventUs: costs.toSorted((a, b) => a - b)[EVENTS / 2]! };
}

const given = process.argv.slice(2).map(Number);
console.log(machine());
const costs: number[] = [];
for (const count of given.length > 0 ? given : [100, 1000, 10_000]) {
  const { startMs, eventUs } = await costOfAnEvent(count);
  costs.push(eventUs);
  console.log(
    `${String(count).padStart(6)} objects: all made in ${startMs.toFixed(0)} ms, one event ${eventUs.toFixed(0)} us CPU (median of ${EVENTS})`,
  );
}
process.exitCode = costs.at(-1)! <= 2 * costs[0]! ? 0 : 1;
