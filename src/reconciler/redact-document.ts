// Stored documents as they may be shown and written down: fingerprints in place of secret values.
import { optionFor } from '../schemas/registry.ts';

/** `text`: canonical JSON as the ledger holds it. Undefined when nothing is stored. */
export function redactDocument(text: string, fingerprint: (secret: string) => string): unknown {
  return text === '' ? undefined : redacted(JSON.parse(text), fingerprint);
}

/** Secret keys stand in maps called `config`: of an instance, a profile, or the template of a set. */
function redacted(value: unknown, fingerprint: (secret: string) => string, inConfig = false): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((one) => redacted(one, fingerprint));
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      const secret = inConfig && typeof member === 'string' && optionFor('instance', key)?.secret === true;
      return [key, secret ? fingerprint(member) : redacted(member, fingerprint, key === 'config')];
    }),
  );
}
