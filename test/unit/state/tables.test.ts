import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AppError } from '../../../src/core/errors.ts';
import { makeRef, type RefKey, refKey } from '../../../src/core/ref.ts';
import { Database } from '../../../src/state/database.ts';
import { makeAuditTable } from '../../../src/state/audit-table.ts';
import { makeEventTable } from '../../../src/state/event-table.ts';
import type { AuditTable, Ledger, ObjectRow, TombstoneRow } from '../../../src/state/ledger.ts';
import { openLedger } from '../../../src/state/open.ts';
import { MIGRATIONS } from '../../../src/state/schema.ts';

function withLedger(work: (ledger: Ledger) => void): void {
  const ledger = openLedger(':memory:');
  try {
    work(ledger);
  } finally {
    ledger.close();
  }
}

function rawDatabase(): Database {
  const db = new Database(':memory:');
  for (const { sql } of MIGRATIONS) db.exec(sql);
  return db;
}

function code(expected: string): (error: unknown) => boolean {
  return (error) => (error as AppError).code === expected;
}

function objectRow(name: string, more: Partial<ObjectRow> = {}): ObjectRow {
  return {
    uid: `uid-${name}`,
    ref: makeRef('Instance', name),
    source: 'main',
    path: 'web.yaml',
    line: 3,
    document: '{}',
    applied: null,
    appliedHash: null,
    appliedRevision: null,
    protected: false,
    declared: true,
    createdAt: 1000,
    ...more,
  };
}

test('an object comes back as it was put, is found by ref and uid, and is replaced by uid', () => {
  withLedger(({ objects }) => {
    const row = objectRow('web', { protected: true, declared: false });
    objects.put(row);
    assert.deepEqual(objects.get(row.ref), row);
    assert.deepEqual(objects.byUid('uid-web'), row);
    assert.equal(objects.get(makeRef('Instance', 'web', { project: 'other' })), undefined);

    const renamed = objectRow('www', { uid: 'uid-web', line: 9 });
    objects.put(renamed);
    assert.deepEqual(objects.all(), [renamed]);
  });
});

test('two objects cannot have the same name', () => {
  withLedger(({ objects }) => {
    objects.put(objectRow('web'));
    assert.throws(() => objects.put(objectRow('web', { uid: 'another' })), code('CONFLICT'));
  });
});

test('setApplied records spec, hash and revision of one object only', () => {
  withLedger(({ objects }) => {
    objects.put(objectRow('a'));
    objects.put(objectRow('b'));
    objects.setApplied('uid-a', '{"x":1}', 'hash', 'rev');
    const a = objects.byUid('uid-a');
    assert.deepEqual([a?.applied, a?.appliedHash, a?.appliedRevision], ['{"x":1}', 'hash', 'rev']);
    assert.equal(objects.byUid('uid-b')?.applied, null);
  });
});

test('removing an object removes its allocations and nobody else’s', () => {
  withLedger(({ objects, allocations }) => {
    objects.put(objectRow('a'));
    objects.put(objectRow('b'));
    allocations.add({ uid: 'uid-a', what: 'idrange', value: '1' });
    allocations.add({ uid: 'uid-b', what: 'idrange', value: '2' });
    objects.remove('uid-a');
    assert.equal(objects.byUid('uid-a'), undefined);
    assert.deepEqual(allocations.all(), [{ uid: 'uid-b', what: 'idrange', value: '2' }]);
  });
});

test('a value is taken once per scope, whatever its key, and free again after release', () => {
  withLedger(({ allocations }) => {
    allocations.add({ uid: 'a', what: 'ipv4:lan:eth0', value: '10.0.0.2' });
    assert.throws(() => allocations.add({ uid: 'b', what: 'ipv4:wan:eth1', value: '10.0.0.2' }), code('CONFLICT'));
    allocations.add({ uid: 'b', what: 'hwaddr:eth0', value: '10.0.0.2' }); // another scope
    allocations.add({ uid: 'a', what: 'ipv4:lan:eth1', value: '10.0.0.2' }); // the same object may move it to another device
    allocations.release('a', 'ipv4:lan:eth0');
    assert.throws(() => allocations.add({ uid: 'b', what: 'ipv4:wan:eth1', value: '10.0.0.2' }), code('CONFLICT'));
    allocations.release('a');
    allocations.add({ uid: 'b', what: 'ipv4:wan:eth1', value: '10.0.0.2' });
    assert.deepEqual(
      [...allocations.of('b')],
      [
        ['hwaddr:eth0', '10.0.0.2'],
        ['ipv4:wan:eth1', '10.0.0.2'],
      ],
    );
  });
});

test('an allocation of the same object and key is replaced', () => {
  withLedger(({ allocations }) => {
    allocations.add({ uid: 'a', what: 'subnet4', value: '10.1.0.0/24' });
    allocations.add({ uid: 'a', what: 'subnet4', value: '10.2.0.0/24' });
    assert.deepEqual([...allocations.taken('subnet4')], ['10.2.0.0/24']);
  });
});

test('taken values are listed for a whole scope or for a part of it', () => {
  withLedger(({ allocations }) => {
    allocations.add({ uid: 'a', what: 'ipv4:lan:eth0', value: '10.0.0.2' });
    allocations.add({ uid: 'a', what: 'ipv4:lan2:eth0', value: '10.0.1.2' });
    assert.deepEqual([...allocations.taken('ipv4')].toSorted(), ['10.0.0.2', '10.0.1.2']);
    assert.deepEqual([...allocations.taken('ipv4:lan')], ['10.0.0.2']);
    assert.equal(allocations.taken('ipv').size, 0);
  });
});

test('allocations moved to a tombstone stay taken and can be moved back', () => {
  withLedger(({ allocations, objects }) => {
    objects.put(objectRow('a'));
    allocations.add({ uid: 'uid-a', what: 'idrange', value: '1' });
    allocations.move('uid-a', 'tombstone-a');
    objects.remove('uid-a');
    assert.ok(allocations.taken('idrange').has('1'));
    allocations.move('tombstone-a', 'uid-a');
    assert.deepEqual([...allocations.of('uid-a')], [['idrange', '1']]);
  });
});

test('intents stay open until closed, and their first outcome stays', () => {
  withLedger(({ intents }) => {
    const ref = refKey(makeRef('Instance', 'a'));
    const [first, second] = intents.open([
      { uid: 'a', ref, change: 'create', openedAt: 1, revision: 'r1' },
      { uid: 'a', ref, change: 'start', openedAt: 2, revision: 'r1' },
    ]);
    assert.deepEqual(
      intents.openIntents().map((one) => one.id),
      [first, second],
    );
    intents.close(first!, 'done', 5);
    intents.close(first!, 'LXC_FAILED', 6);
    assert.deepEqual(
      intents.history('a', 10).map((one) => [one.change, one.closedAt, one.outcome]),
      [
        ['start', null, null],
        ['create', 5, 'done'],
      ],
    );
    assert.equal(intents.history('a', 1).length, 1);
  });
});

test('pruning keeps the newest closed intents of each object and every open one', () => {
  withLedger(({ intents, objects }) => {
    objects.put(objectRow('a'));
    const ref = refKey(makeRef('Instance', 'a'));
    const ids = intents.open(Array.from({ length: 6 }, (_, n) => ({ uid: 'uid-a', ref, change: `c${n}`, openedAt: n, revision: 'r' })));
    for (const id of ids.slice(1)) intents.close(id, 'done', 10);
    intents.prune(2);
    assert.deepEqual(
      intents.history('uid-a', 10).map((one) => one.change),
      ['c5', 'c4', 'c0'],
    );
  });
});

test('stored documents, tombstones, confirmations, overrides and operations come back as they were put', () => {
  withLedger(({ documents, tombstones, confirmations, consents, overrides, operations }) => {
    const ref = makeRef('StorageVolume', 'data', { parent: 'fast' });
    const document = { ref, source: 'api', text: 'kind: StorageVolume\n', updatedAt: 1 };
    documents.put({ ...document, text: 'old' });
    documents.put(document);
    assert.deepEqual(documents.all(), [document]);
    documents.remove(ref);
    assert.deepEqual(documents.all(), []);

    const tombstone: TombstoneRow = { uid: 'u', ref, pool: 'fast', name: 'u.1', why: 'deleted', object: '{}', buriedAt: 1, expiresAt: 2 };
    const former: TombstoneRow = { ...tombstone, name: 'u.0', why: 'replaced', buriedAt: 0 };
    tombstones.put(tombstone);
    tombstones.put(former);
    assert.deepEqual(tombstones.all(), [former, tombstone]);
    assert.deepEqual(tombstones.of('u'), [former, tombstone]);
    assert.deepEqual(tombstones.of('v'), []);
    tombstones.remove('fast', 'u.1');
    assert.deepEqual(tombstones.all(), [former]);

    const asked = {
      source: 'main',
      hash: 'h',
      objects: [refKey(ref)],
      protected: [],
      reason: 'too many',
      askedAt: 1,
      confirmedAt: null,
      confirmedBy: null,
    };
    confirmations.put(asked);
    const confirmed = { ...asked, confirmedAt: 2, confirmedBy: 'uid:0' };
    confirmations.put(confirmed);
    assert.deepEqual(confirmations.all(), [confirmed]);
    confirmations.remove('main');
    assert.deepEqual(confirmations.all(), []);

    const consent = { uid: 'u1', action: 'restart', hash: 'h', reason: 'r', askedAt: 5, confirmedAt: null, confirmedBy: null } as const;
    consents.put({ ...consent, action: 'recreate' });
    consents.put(consent);
    consents.put({ ...consent, uid: 'u2', confirmedAt: 6, confirmedBy: 'uid:0' });
    assert.deepEqual(consents.all(), [consent, { ...consent, uid: 'u2', confirmedAt: 6, confirmedBy: 'uid:0' }]);
    consents.remove('u2');
    assert.deepEqual(consents.all(), [consent]);

    const override = { id: 'o', ref, patch: '{}', owner: 'uid:0', reason: 'test', createdAt: 1, expiresAt: 2 };
    overrides.put(override);
    assert.deepEqual(overrides.all(), [override]);
    overrides.remove('o');
    assert.deepEqual(overrides.all(), []);

    const running = { id: 'x', kind: 'exec', ref: refKey(ref), state: 'running', startedAt: 1, endedAt: null, detail: '' } as const;
    operations.put(running);
    const done = { ...running, state: 'done', endedAt: 3 } as const;
    operations.put(done);
    operations.put({ ...running, id: 'y', startedAt: 2 });
    assert.deepEqual(
      operations.recent(5).map((one) => one.id),
      ['y', 'x'],
    );
    assert.deepEqual(operations.recent(5)[1], done);
  });
});

test('events are numbered without gaps, kept to a bound, and read from a sequence number on', () => {
  const db = rawDatabase();
  const events = makeEventTable(db, 3);
  const ref = makeRef('Instance', 'web');
  for (let n = 1; n <= 5; n++) {
    events.add({ type: 'change', severity: 'info', ref, reason: 'Started', message: `number ${n}`, data: { n } }, n * 10);
  }
  assert.deepEqual(
    events.since(0, 100).map((event) => event.seq),
    [3, 4, 5],
  );
  assert.deepEqual(
    events.since(3, 1).map((event) => event.seq),
    [4],
  );
  assert.deepEqual(events.latest(1), [
    { seq: 5, time: 50, type: 'change', severity: 'info', ref, reason: 'Started', message: 'number 5', data: { n: 5 } },
  ]);
  db.exec('DELETE FROM event');
  assert.equal(events.add({ type: 'daemon', severity: 'info', reason: 'Started', message: 'again' }, 60).seq, 6);
  db.close();
});

describe('the audit log', () => {
  function filled(db: Database, count = 4): AuditTable {
    const audit = makeAuditTable(db);
    for (let n = 1; n <= count; n++) {
      audit.add({ at: n * 10, actor: 'uid:0', action: 'confirm', ref: n % 2 === 0 ? 'even' : 'odd', detail: `entry ${n}` });
    }
    return audit;
  }

  test('is in order as it was written, and ends where the ledger says', () => {
    const db = rawDatabase();
    const audit = filled(db);
    const { entries, head, broken } = audit.verify();
    assert.deepEqual([entries, head?.seq, broken], [4, 4, undefined]);
    assert.deepEqual(audit.head(), head);
    assert.equal(makeAuditTable(rawDatabase()).verify().broken, undefined, 'an empty log is in order');
    db.close();
  });

  for (const [what, sql, found] of [
    ['an edited detail', "UPDATE audit SET detail = 'other' WHERE seq = 2", 2],
    ['an edited actor', "UPDATE audit SET actor = 'uid:1' WHERE seq = 3", 3],
    ['an edited time', 'UPDATE audit SET at = 1 WHERE seq = 4', 4],
    ['an edited hash', "UPDATE audit SET hash = 'x' WHERE seq = 1", 1],
    ['a removed entry', 'DELETE FROM audit WHERE seq = 2', 2],
    ['a removed first entry', 'DELETE FROM audit WHERE seq = 1', 1],
    ['a removed newest entry', 'DELETE FROM audit WHERE seq = 4', 4],
    ['everything removed', 'DELETE FROM audit', 1],
    [
      'two entries in the other order',
      'UPDATE audit SET seq = 9 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 9',
      2,
    ],
    ['an entry put in', 'INSERT INTO audit SELECT 5, at, actor, action, ref, detail, hash FROM audit WHERE seq = 4', 5],
    ['a newest entry that goes on from the chain, but is not ours', "UPDATE meta SET value = '3 x' WHERE key = 'audit_head'", 4],
    ['a lost note of the newest entry', "DELETE FROM meta WHERE key = 'audit_head'", 1],
  ] as const) {
    test(`${what} is found, with its number`, () => {
      const db = rawDatabase();
      const audit = filled(db);
      db.exec(sql);
      const { broken } = audit.verify();
      assert.equal(broken?.seq, found, broken?.problem);
      assert.match(broken?.problem ?? '', /^[A-Z].*\.$/);
      db.close();
    });
  }

  test('written anew from the start it only shows against a head that was noted elsewhere', () => {
    const db = rawDatabase();
    const noted = filled(db).head();
    db.exec("DELETE FROM audit; DELETE FROM meta WHERE key = 'audit_head'");
    const audit = filled(db, 3);
    assert.equal(audit.verify().broken, undefined, 'this is what a chain cannot show');
    assert.equal(audit.verify(noted).broken?.seq, 4);
    audit.add({ at: 99, actor: 'uid:0', action: 'confirm', ref: '-', detail: 'another fourth' });
    assert.equal(audit.verify(noted).broken?.seq, 4);
    db.close();
  });

  test('can be read in pages, by object and by time', () => {
    const db = rawDatabase();
    const audit = filled(db, 6);
    const seqs = (page: readonly { readonly seq: number }[]): number[] => page.map((entry) => entry.seq);
    assert.deepEqual(seqs(audit.page({ limit: 2 })), [6, 5]);
    assert.deepEqual(seqs(audit.page({ limit: 2, before: 5 })), [4, 3]);
    assert.deepEqual(seqs(audit.page({ limit: 9, ref: 'even' })), [6, 4, 2]);
    assert.deepEqual(seqs(audit.page({ limit: 9, ref: 'even', since: 40 })), [6, 4]);
    assert.deepEqual(seqs(audit.after(4, 9)), [5, 6]);
    assert.deepEqual(seqs(audit.latest(2)), [5, 6]);
    db.close();
  });
});

test('closed intents of an object are bounded while the daemon runs, open ones stay', () => {
  const ledger = openLedger(':memory:');
  const [first] = ledger.intents.open([{ uid: 'u', ref: 'r' as RefKey, change: '{}', openedAt: 0, revision: '' }]);
  for (let n = 1; n <= 80; n++) {
    const [id] = ledger.intents.open([{ uid: 'u', ref: 'r' as RefKey, change: '{}', openedAt: n, revision: '' }]);
    ledger.intents.close(id!, 'done', n);
  }
  const history = ledger.intents.history('u', 1000);
  assert.ok(history.length <= 52, String(history.length));
  assert.equal(history.at(-1)?.id, first, 'what is open is never dropped');
  assert.equal(history[0]?.openedAt, 80);
  assert.deepEqual(ledger.intents.historyOf('r' as RefKey, 2), history.slice(0, 2));
  ledger.close();
});

test('a transaction that throws leaves nothing behind, and transactions do not nest', () => {
  withLedger((ledger) => {
    assert.throws(
      () =>
        ledger.transaction(() => {
          ledger.objects.put(objectRow('a'));
          ledger.allocations.add({ uid: 'uid-a', what: 'idrange', value: '1' });
          throw new Error('on purpose');
        }),
      /on purpose/,
    );
    assert.deepEqual(ledger.objects.all(), []);
    assert.deepEqual(ledger.allocations.all(), []);
    assert.throws(() => ledger.transaction(() => ledger.transaction(() => 1)), /inside another/);
    assert.equal(
      ledger.transaction(() => 7),
      7,
    );
  });
});

test('a note does not wait for the disk, is rolled back like a transaction, and the next transaction waits again', () => {
  const db = new Database(':memory:');
  // Prepared anew each time: the answer is that of the time of preparing.
  const level = (): number | undefined => db.prepare<{ synchronous: number }>('PRAGMA synchronous').get()?.synchronous;
  const NORMAL = 1;
  const FULL = 2;
  assert.equal(
    db.note(() => level()),
    NORMAL,
  );
  assert.equal(
    db.transaction(() => level()),
    FULL,
  );
  db.exec('CREATE TABLE t (n INTEGER) STRICT');
  assert.throws(() =>
    db.note(() => {
      db.exec('INSERT INTO t VALUES (1)');
      throw new Error('on purpose');
    }),
  );
  assert.deepEqual(db.prepare('SELECT n FROM t').all(), []);
  assert.equal(level(), FULL);
  db.close();
});

test('a full disk is DISK_FULL, and the ledger goes on working once there is space', () => {
  const db = rawDatabase();
  const events = makeEventTable(db);
  const [pages] = db.prepare<{ page_count: number }>('PRAGMA page_count').all();
  db.exec(`PRAGMA max_page_count = ${pages!.page_count}`);
  const big = { type: 'problem', severity: 'error', reason: 'Big', message: 'x'.repeat(100_000) } as const;
  assert.throws(() => events.add(big, 1), code('DISK_FULL'));
  db.exec('PRAGMA max_page_count = 100000');
  assert.equal(events.add(big, 2).message.length, 100_000);
  assert.equal(events.since(0, 10).length, 1);
  db.close();
});

test('a row whose ref names no kind is LEDGER_CORRUPT', () => {
  const db = rawDatabase();
  db.exec(
    "INSERT INTO event (time, type, severity, ref, reason, message, data) VALUES (1, 'change', 'info', 'Nonsense/x', 'R', 'm', NULL)",
  );
  assert.throws(() => makeEventTable(db).since(0, 1), code('LEDGER_CORRUPT'));
  db.close();
});

test('meta values are set and replaced', () => {
  withLedger(({ meta }) => {
    assert.equal(meta.get('bootId'), undefined);
    meta.set('bootId', 'a');
    meta.set('bootId', 'b');
    assert.equal(meta.get('bootId'), 'b');
  });
});
