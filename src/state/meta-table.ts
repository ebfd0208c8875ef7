// Single values about the ledger itself: schema version, host id, prefix, boot id.
import type { Database } from './database.ts';
import type { MetaTable } from './ledger.ts';

export function makeMetaTable(db: Database): MetaTable {
  const get = db.prepare<{ value: string }>('SELECT value FROM meta WHERE key = ?');
  const set = db.prepare('INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value');
  return {
    get: (key) => get.get(key)?.value,
    set: (key, value) => {
      set.run(key, value);
    },
  };
}
