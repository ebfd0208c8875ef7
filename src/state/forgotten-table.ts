// Sources that are no longer configured and whose objects somebody said may go.
import type { Database } from './database.ts';
import type { ForgottenTable } from './ledger.ts';

export function makeForgottenTable(db: Database): ForgottenTable {
  const all = db.prepare<{ name: string; forgotten_at: number }>('SELECT * FROM forgotten_source ORDER BY name');
  const put = db.prepare(
    'INSERT INTO forgotten_source (name, forgotten_at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET forgotten_at = excluded.forgotten_at',
  );
  const remove = db.prepare('DELETE FROM forgotten_source WHERE name = ?');
  return {
    all: () => all.all().map(({ name, forgotten_at: at }) => ({ name, at })),
    put: ({ name, at }) => {
      put.run(name, at);
    },
    remove: (name) => {
      remove.run(name);
    },
  };
}
