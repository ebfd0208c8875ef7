// One row of the kill matrix: two situations, and the way there and back, walked as often as it takes to be killed at every boundary.
import assert from 'node:assert/strict';
import type { TestHost } from '../harness.ts';
import type { CrashBench } from './bench.ts';
import type { Census } from './census.ts';

export interface Situation {
  readonly name: string;
  /** Asks for it: writes manifests, calls the API. Called once for each time it is to be reached. */
  readonly enter: (host: TestHost) => void | Promise<void>;
  /** Only a means to get there again: the daemon is not killed on the way. */
  readonly calm?: boolean;
}

export interface Path {
  readonly name: string;
  /** In the short run every so many boundaries of it are visited; without, none. */
  readonly sample?: number;
  readonly there: Situation;
  readonly back: Situation;
}

export interface Visits {
  readonly path: string;
  /** Boundaries of both ways, and at how many of them the daemon was killed. */
  readonly boundaries: number;
  readonly kills: number;
  readonly seconds: number;
}

interface Way {
  readonly to: Situation;
  boundaries: string[];
  /** Which boundaries are still to be killed at, in turn. */
  todo: number[];
  reached: Census | undefined;
  /** How many tombstones reaching it adds. */
  buries: number;
}

/** `stride`: 1 visits all; otherwise every so many, the last one always. Throws when a boundary was not reached. */
export async function walk(bench: CrashBench, path: Path, stride: number): Promise<Visits> {
  const began = performance.now();
  const { host } = bench;
  await enter(bench, path.back, `${path.name}: before it`);
  let census = await bench.check(`${path.name}: before it`);
  const ways = [path.there, path.back].map((to): Way => ({ to, boundaries: [], todo: [], reached: undefined, buries: 0 }));

  for (const way of ways) {
    const what = `${path.name}: to ${way.to.name}`;
    const order = bench.arm('count');
    await enter(bench, way.to, what);
    const before = census.tombstones.length;
    census = await bench.check(what);
    way.boundaries = way.to.calm === true ? [] : bench.boundaries(order);
    assert.ok(way.boundaries.length > 0 || way.to.calm === true, `${what} has boundaries`);
    way.todo = way.boundaries.flatMap((_, index) => (index % stride === 0 || index === way.boundaries.length - 1 ? [index + 1] : []));
    way.reached = census;
    way.buries = census.tombstones.length - before;
  }

  let kills = 0;
  const killedAt = new Map(ways.map((way) => [way, new Set<string>()]));
  while (ways.some((way) => way.todo.length > 0)) {
    for (const way of ways) {
      const number = way.todo.shift();
      const what = `${path.name}: to ${way.to.name}, killed at boundary ${number ?? 'none'}`;
      const order = bench.arm(number === undefined ? 'count' : `kill@${number}`);
      await way.to.enter(host);
      if (number === undefined) {
        await bench.settled(what);
      } else {
        assert.equal(await bench.outcome(), 'killed', `${what}: it was not reached`);
        kills++;
        killedAt.get(way)?.add(bench.boundaries(order).at(-1) ?? '');
        bench.arm('count');
        await bench.start();
        await bench.settled(what);
      }
      const before = census.tombstones.length;
      census = await bench.check(what, { ...way.reached!, tombstones: Array.from({ length: before + way.buries }, () => '') });
    }
  }
  for (const way of ways) {
    // By name, too: the N-th boundary of another run could be another one.
    const visited = new Set([...killedAt.get(way)!].map(withoutIds));
    const missed = stride > 1 ? [] : way.boundaries.map(withoutIds).filter((where) => !visited.has(where));
    assert.deepEqual(missed, [], `${path.name}: to ${way.to.name}: boundaries that were not visited`);
  }
  await bench.checkQuotas();
  const boundaries = ways.reduce((sum, way) => sum + way.boundaries.length, 0);
  return { path: path.name, boundaries, kills, seconds: (performance.now() - began) / 1000 };
}

function withoutIds(where: string): string {
  return where.replace(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, 'UID');
}

async function enter(bench: CrashBench, situation: Situation, what: string): Promise<void> {
  await situation.enter(bench.host);
  await bench.settled(what);
}
