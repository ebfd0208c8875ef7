// Values that are unique on this host and stay with an object for its life: id ranges, MACs, addresses, subnets.
import { AppError } from '../core/errors.ts';
import type { Database } from './database.ts';
import type { AllocationRow, AllocationTable } from './ledger.ts';

/** `ipv4:lan:eth0` is unique among all of `ipv4`. */
function scopeOf(what: string): string {
  const colon = what.indexOf(':');
  return colon < 0 ? what : what.slice(0, colon);
}

export function makeAllocationTable(db: Database): AllocationTable {
  const all = db.prepare<AllocationRow>('SELECT uid, what, value FROM allocation ORDER BY uid, what');
  const of = db.prepare<AllocationRow>('SELECT uid, what, value FROM allocation WHERE uid = ? ORDER BY what');
  const taken = db.prepare<AllocationRow>('SELECT uid, what, value FROM allocation WHERE scope = ?');
  const owner = db.prepare<{ uid: string }>('SELECT uid FROM allocation WHERE scope = ? AND value = ? AND uid <> ? LIMIT 1');
  const put = db.prepare(
    `INSERT INTO allocation (uid, what, scope, value) VALUES (?, ?, ?, ?)
     ON CONFLICT (uid, what) DO UPDATE SET value = excluded.value`,
  );
  const releaseAll = db.prepare('DELETE FROM allocation WHERE uid = ?');
  const releaseOne = db.prepare('DELETE FROM allocation WHERE uid = ? AND what = ?');
  const move = db.prepare('UPDATE allocation SET uid = ? WHERE uid = ?');

  return {
    all: () => all.all().map((row) => ({ uid: row.uid, what: row.what, value: row.value })),
    of: (uid) => new Map(of.all(uid).map((row) => [row.what, row.value])),
    taken: (scope) => {
      // A scope may be given with a part of its key (`ipv4:lan`): then only what lies below it counts.
      const rows = taken.all(scopeOf(scope)).filter((row) => row.what === scope || row.what.startsWith(`${scope}:`));
      return new Set(rows.map((row) => row.value));
    },
    add: ({ uid, what, value }) => {
      db.atomically(() => {
        const scope = scopeOf(what);
        const other = owner.get(scope, value, uid);
        if (other) {
          throw new AppError(
            'CONFLICT',
            { what, value, uid, takenBy: other.uid },
            { message: `The value "${value}" of "${what}" is already taken by the object with uid ${other.uid}.` },
          );
        }
        put.run(uid, what, scope, value);
      });
    },
    release: (uid, what) => {
      if (what === undefined) releaseAll.run(uid);
      else releaseOne.run(uid, what);
    },
    move: (fromUid, toUid) => {
      if (fromUid !== toUid) move.run(toUid, fromUid);
    },
  };
}
