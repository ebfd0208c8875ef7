// Fingerprints stand for secrets in records, plans, events and answers. They are keyed: equal secrets look equal on one host, and nobody
// without the key can try out guesses. The key lies in the ledger, which only root can read.
import { createHmac, randomBytes } from 'node:crypto';
import type { MetaTable } from './ledger.ts';

const META_KEY = 'fingerprint_key';

export function makeFingerprint(meta: MetaTable): (secret: string) => string {
  let key = meta.get(META_KEY);
  if (key === undefined) {
    key = randomBytes(32).toString('hex');
    meta.set(META_KEY, key);
  }
  const bytes = Buffer.from(key, 'hex');
  return (secret) => `hmac:${createHmac('sha256', bytes).update(secret).digest('hex').slice(0, 16)}`;
}
