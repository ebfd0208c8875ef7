// The ledger at the daemon's start: opened; set aside when it is damaged; and compared with what the instances and bridges on this host
// say about themselves, because a ledger may be lost, or be older than the host after a power cut or a restored backup.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from './core/clock.ts';
import { AppError, errorText, isErrno } from './core/errors.ts';
import type { EventSink } from './core/events.ts';
import type { Log } from './core/log.ts';
import type { Paths } from './core/paths.ts';
import { refText } from './core/ref.ts';
import type { LinksReading } from './host/ports/network.ts';
import type { Ledger } from './state/ledger.ts';
import { openLedger, setAsideCorruptLedger } from './state/open.ts';
import { type InstanceRecord, rebuildNetworks, rebuildOwnership, restoreOwnership } from './state/rebuild.ts';

/** A damaged ledger is kept beside the new one. Throws LEDGER_NEWER and what else has nothing to do with damage. */
export function openLedgerOrStartAnew(path: string, log: Log): Ledger {
  try {
    return openLedger(path);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'LEDGER_CORRUPT') throw error;
    const aside = setAsideCorruptLedger(path);
    log.error({ error: errorText(error), aside }, 'the ledger is damaged and was set aside; ownership is read back from the host');
    return openLedger(path);
  }
}

export interface RecoverOptions {
  readonly ledger: Ledger;
  readonly paths: Paths;
  readonly prefix: string;
  readonly links: () => Promise<LinksReading>;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly log: Log;
}

export async function recoverOwnership({ ledger, paths, prefix, links, clock, events, log }: RecoverOptions): Promise<void> {
  const instances = restoreOwnership(ledger, rebuildOwnership(instanceRecords(paths.instances)), clock.now());
  const networks = await links().then(
    (reading) => restoreOwnership(ledger, rebuildNetworks(prefix, reading.links.values()), clock.now()),
    (error: unknown) => ({ objects: [], problems: [`The links of this host cannot be listed: ${errorText(error)}`] }),
  );
  const found = [...instances.objects, ...networks.objects];
  if (found.length > 0) {
    const names = found.map(refText).join(', ');
    const message = `The ledger did not know ${names}; ownership was read back from the host. Nothing is deleted before "lockstep confirm @ledger".`;
    events.emit({ type: 'daemon', severity: 'warning', reason: 'OwnershipRebuilt', message });
    log.warn({ objects: found.length }, message);
  }
  for (const problem of [...instances.problems, ...networks.problems]) {
    events.emit({ type: 'daemon', severity: 'warning', reason: 'OwnershipUnclear', message: problem });
  }
}

function instanceRecords(directory: string): InstanceRecord[] {
  const records: InstanceRecord[] = [];
  for (const name of readdirSync(directory)) {
    if (name.startsWith('.')) continue;
    const file = join(directory, name, 'instance.json');
    try {
      records.push({ file, text: readFileSync(file, 'utf8') });
    } catch (error) {
      // Not made by us, or removed just now.
      if (!isErrno(error, 'ENOENT') && !isErrno(error, 'ENOTDIR')) throw error;
    }
  }
  return records;
}
