// What must be the same on the host however often the daemon was killed on the way: everything with its prefix or in its directories,
// without what differs from run to run (pids, device numbers, names made from uids). Tombstones and claims grow with each deletion, so
// they are counted.
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileDump, ruleDump } from '../../../scripts/host-files.ts';
import type { TestHost } from '../harness.ts';

export interface Census {
  readonly lines: readonly string[];
  /** Volumes below `.tombstones`, `POOL/NAME`. */
  readonly tombstones: readonly string[];
  /** Claimed id ranges: one per instance and tombstone. */
  readonly claims: number;
}

/** Logs and records of runs: there or not, depending on how often something was started. */
const COMES_AND_GOES = /^(?:ledger\.db.*|instances\/[^/]+\/(?:log|exit\.json|started\.json)|networks\/[^/]+\/(?:leases|log))$/;

export async function takeCensus(host: TestHost): Promise<Census> {
  const traces = await host.dump();
  const veth = new RegExp(`^link ${host.prefix}v[a-z2-7]{9}$`);
  const lines = traces
    .filter((line) => !/^claim .*\/\d+$/.test(line) && !line.startsWith('process guest '))
    // Made by the first start, and kept.
    .filter((line) => !/^cgroup .*\.lockstep$/.test(line))
    // What a guest makes in its own, and liblxc for the commands it runs there, goes with it.
    .filter((line) => !/^cgroup .*\/payload\/./.test(line))
    .map((line) => (veth.test(line) ? 'link of an instance' : line.startsWith('loop ') ? 'loop device' : line))
    // Half a claim.
    .map((line) => (line.startsWith('claim ') && !basename(line).startsWith('prefix-') ? `${line} (?)` : line));
  const files = fileDump(host.paths).filter(
    // `.removing` is made by the first removal in the background, and kept; what is in it counts.
    (line) => !COMES_AND_GOES.test(line.slice(line.indexOf(' ') + 1)) && !/^directory pools\/[^/]+\/\.removing$/.test(line),
  );
  const tombstone = /^(?:subvolume|directory) pools\/([^/]+)\/\.tombstones\/(.+)$/;
  const rules = await ruleDump(host.prefix);
  return {
    lines: [...lines, ...files.filter((line) => !tombstone.test(line)), ...rules].toSorted((a, b) => (a < b ? -1 : 1)),
    tombstones: files.flatMap((line) => {
      const [, pool, name] = tombstone.exec(line) ?? [];
      return pool === undefined ? [] : [`${pool}/${name}`];
    }),
    claims: traces.filter((line) => /^claim .*\/\d+$/.test(line)).length,
  };
}

/** What the ledger and the disk say of each other: nothing is there twice, forgotten or lost. */
export function checkLedger(host: TestHost, census: Census): void {
  const ledger = new DatabaseSync(host.paths.ledger, { readOnly: true });
  try {
    const rows = (sql: string): Record<string, unknown>[] => ledger.prepare(sql).all();
    const recorded = rows("SELECT pool || '/' || name AS path, why FROM tombstone ORDER BY path");
    const paths = recorded.map((row) => row['path']);
    assert.deepEqual(census.tombstones.toSorted(), paths, 'volumes kept for undelete, on disk and in the ledger');
    const open = recorded.filter((row) => row['why'] !== 'deleted' && row['why'] !== 'replaced');
    assert.deepEqual(open, [], 'volumes on their way into a tombstone or out of it');
    const ranges = rows("SELECT value FROM allocation WHERE what = 'idrange'");
    assert.equal(census.claims, ranges.length, 'claimed id ranges, on the host and in the ledger');
    const owners = new Set(
      [...rows('SELECT uid FROM object'), ...rows("SELECT 'tombstone:' || uid AS uid FROM tombstone")].map((row) => row['uid']),
    );
    const orphaned = rows('SELECT uid, what, value FROM allocation').filter((row) => !owners.has(row['uid']));
    assert.deepEqual(orphaned, [], 'allocations of nobody');
  } finally {
    ledger.close();
  }
}
