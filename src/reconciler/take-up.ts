// The ledger at the daemon's start: what an earlier one had begun.
import type { Ledger } from '../state/ledger.ts';
import { interruptedEntry } from './audit-entries.ts';

const KEPT_INTENTS = 50;

/** At the daemon's start: closes what was begun and not seen to end. True when this is the first start since the host booted. */
export function takeUpLedger(ledger: Ledger, bootId: string, now: number): boolean {
  const firstSinceBoot = ledger.meta.get('boot_id') !== bootId;
  ledger.transaction(() => {
    // The first look finds how far it came.
    for (const intent of ledger.intents.openIntents()) {
      ledger.intents.close(intent.id, 'interrupted', now);
      ledger.audit.add(interruptedEntry(intent, now));
    }
    ledger.intents.prune(KEPT_INTENTS);
    ledger.meta.set('boot_id', bootId);
  });
  return firstSinceBoot;
}
