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
  /** The daemon was killed there. */
  readonly visited: Set<string>;
}

/** What is seen in one round now and in two another time differs by this many rounds at most. */
const ROUNDS_MORE = 4;

function missed({ boundaries, visited }: Way): string[] {
  return [...new Set(boundaries.map(withoutIds))].filter((where) => !visited.has(where));
}

/** `stride`: 1 visits all; otherwise every so many, the last one always. Throws when a boundary was not reached. */
export async function walk(bench: CrashBench, path: Path, stride: number): Promise<Visits> {
  const began = performance.now();
  const { host } = bench;
  await enter(bench, path.back, `${path.name}: before it`);
  let census = await bench.check(`${path.name}: before it`);
  const ways = [path.there, path.back].map((to): Way => ({
    to,
    boundaries: [],
    todo: [],
    reached: undefined,
    buries: 0,
    visited: new Set(),
  }));

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
  while (ways.some((way) => way.todo.length > 0)) {
    for (const way of ways) {
      const number = way.todo.shift();
      const what = `${path.name}: to ${way.to.name}, killed at boundary ${number ?? 'none'}`;
      const order = bench.arm(number === undefined ? 'count' : `kill@${number}`);
      await way.to.enter(host);
      const outcome = number === undefined ? await bench.settled(what) : await bench.outcome();
      if (outcome === 'killed') {
        kills++;
        way.visited.add(withoutIds(bench.boundaries(order).at(-1) ?? ''));
        bench.arm('count');
        await bench.start();
        await bench.settled(what);
      } else if (number !== undefined) {
        // A round less than when they were counted: its writes to the ledger are boundaries, too.
        assert.ok(number > way.boundaries.length - ROUNDS_MORE * 2, `${what}: it was not reached`);
      }
      if (stride === 1 && way.todo.length === 0 && number !== undefined && outcome === 'killed' && missed(way).length > 0) {
        // A round more: what comes last has another number.
        assert.ok(number < way.boundaries.length + ROUNDS_MORE * 2, `${what}: ${missed(way).join(', ')} were not reached`);
        way.todo.push(number + 1);
      }
      const before = census.tombstones.length;
      census = await bench.check(what, { ...way.reached!, tombstones: Array.from({ length: before + way.buries }, () => '') });
    }
  }
  for (const way of ways) {
    const left = stride === 1 ? missed(way) : [];
    assert.deepEqual(left, [], `${path.name}: to ${way.to.name}: boundaries that were not visited`);
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
