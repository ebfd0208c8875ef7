// What an entry of the audit log says beyond who, what and when. Kept as JSON in the entry; never holds a secret.

export interface AuditField {
  /** As in the manifest: `config.limits.memory`. */
  readonly field: string;
  readonly from?: string;
  readonly to?: string;
  /** The values are not told. */
  readonly secret?: true;
  readonly knownAfterApply?: true;
}

export interface AuditDetail {
  /** One clause, lower case: what was done. */
  readonly summary: string;
  /** `done`, `waiting` (begun; what came of it shows in the next change), `interrupted`, or an error code; absent for requests, which are done when they are recorded. */
  readonly outcome?: string;
  /** Before and after. */
  readonly fields?: readonly AuditField[];
  /** The manifest that asked for it. */
  readonly source?: string;
  readonly revision?: string;
  readonly file?: string;
  readonly line?: number;
  /** Who signed that revision, where the source checked it. */
  readonly signer?: string;
  /** The events that made the daemon look. */
  readonly causes?: readonly string[];
  /** Other objects it was about (a confirmation). */
  readonly objects?: readonly string[];
}

/** Entries of older versions are a plain sentence. */
export function parseAuditDetail(text: string): AuditDetail {
  if (!text.startsWith('{')) return { summary: text };
  try {
    const value = JSON.parse(text) as Partial<AuditDetail>;
    return { ...value, summary: value.summary ?? '' };
  } catch {
    return { summary: text };
  }
}
