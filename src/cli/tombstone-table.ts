// Tombstones as people see them: what, since when, until when, how large.
import type { TombstoneStatus } from '../api/types.ts';
import { formatSize } from '../core/units.ts';
import { shortRef } from './kind-words.ts';
import type { Cell } from './output.ts';
import { age, localTime } from './text.ts';

const HEADING = ['OBJECT', 'WHAT', 'DELETED', 'KEPT UNTIL', 'SIZE', 'TOMBSTONE'];

const WHAT: Readonly<Record<TombstoneStatus['why'], string>> = {
  deleted: 'its data',
  replaced: 'a former root',
  returning: 'coming back',
};

export function printTombstones(
  tombstones: readonly TombstoneStatus[],
  output: { table(heading: readonly string[], rows: readonly (readonly Cell[])[]): void },
  nowMs: number,
): void {
  const rows = tombstones.map((one): Cell[] => [
    { text: shortRef(one.ref) },
    { text: WHAT[one.why] },
    { text: `${age(one.buriedAt, nowMs)} ago` },
    { text: one.expiresAt <= nowMs ? 'now' : localTime(one.expiresAt) },
    { text: one.bytes === undefined ? '' : formatSize(one.bytes) },
    { text: `${one.pool}/${one.name}` },
  ]);
  output.table(HEADING, rows);
}
